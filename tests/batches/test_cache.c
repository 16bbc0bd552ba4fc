/* The token cache: the same batches with it and without, and nothing lost or wrongly taken whatever
   happens to the file. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/runtime.h"
#include "batches/cache.h"
#include "batches/corpus.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"

static int warnings;
static char last_warning[512];

static void note(void *user, int32_t level, const char *message)
{
    (void)user;
    warnings += level == MLM_LOG_WARNING;
    snprintf(last_warning, sizeof last_warning, "%s", message);
}

static mlm_runtime *make_runtime(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    options.log = note;
    warnings = 0;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

static mlm_status open_corpus(mlm_runtime *runtime, const char *path, const char *cache,
    mlm_corpus_options options, mlm_corpus **corpus)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    options.cache = cache;
    mlm_status status = mlm_corpus_open(runtime, tokenizer, &path, 1, &options, corpus);
    mlm_tokenizer_free(tokenizer);
    return status;
}

/* All that a corpus says: its info, its provenance, every number of every batch of an epoch. */
typedef struct corpus_dump {
    char *bytes;
    size_t size;
} corpus_dump;

static void put(corpus_dump *dump, const void *data, size_t size)
{
    dump->bytes = realloc(dump->bytes, dump->size + size + 1);
    memcpy(dump->bytes + dump->size, data, size);
    dump->size += size;
}

static corpus_dump dump_corpus(mlm_corpus *corpus)
{
    corpus_dump dump = {0};
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    put(&dump, &info, sizeof info);
    json_t *provenance = mlm__corpus_provenance(corpus);
    char *text = json_dumps(provenance, JSON_SORT_KEYS);
    put(&dump, text, strlen(text));
    free(text);
    json_decref(provenance);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    mlm_status status;
    while ((status = mlm_corpus_next(corpus, &batch)) == MLM_OK) {
        size_t B = (size_t)batch.B, N = (size_t)batch.offsets[B];
        put(&dump, &batch.position, sizeof batch.position);
        put(&dump, batch.offsets, (B + 1) * sizeof *batch.offsets);
        put(&dump, batch.input_ids, N * sizeof *batch.input_ids);
        if (batch.token_type_ids)
            put(&dump, batch.token_type_ids, N * sizeof *batch.token_type_ids);
        if (batch.sentence_labels)
            put(&dump, batch.sentence_labels, B * sizeof *batch.sentence_labels);
    }
    assert_status(status, MLM_END);
    mlm_corpus_free(corpus);
    return dump;
}

static void assert_same(corpus_dump expected, corpus_dump got)
{
    ck_assert_uint_eq(got.size, expected.size);
    ck_assert(memcmp(got.bytes, expected.bytes, got.size) == 0);
    free(got.bytes);
}

static corpus_dump dump_of(
    mlm_runtime *runtime, const char *path, const char *cache, mlm_corpus_options options)
{
    mlm_corpus *corpus;
    assert_ok(open_corpus(runtime, path, cache, options, &corpus));
    return dump_corpus(corpus);
}

static mlm_corpus_options usual_options(void)
{
    return letters_options(32, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
}

static const char *write_text(const char *folder, const char *name, uint64_t seed, int documents)
{
    const char *path = test_path(folder, name);
    char *text = letters_random_text(seed, documents);
    test_write_file(path, text, strlen(text));
    free(text);
    return path;
}

static ino_t inode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_ino;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* One cache serves every way to pack, for any number of threads. */
START_TEST(the_same_with_and_without)
{
    static const struct {
        int32_t T, input, packing;
    } ways[] = {
        {32, MLM_INPUT_SENTENCES, MLM_PACK_FULL},
        {9, MLM_INPUT_PARAGRAPHS, MLM_PACK_ACROSS},
        {64, MLM_INPUT_LINES, MLM_PACK_ONE},
        {3, MLM_INPUT_SENTENCES, MLM_PACK_ACROSS},
        {48, MLM_INPUT_SENTENCES, MLM_PACK_PAIRS},
    };
    const char *folder = test_folder(), *path = write_text(folder, "text", 8, 120);
    const char *cache = test_path(folder, "cache"), *fresh = test_path(folder, "cache.new");
    ino_t inode = 0;
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        mlm_corpus_options options = letters_options(ways[w].T, ways[w].input, ways[w].packing);
        options.seed = 5;
        mlm_runtime *runtime = make_runtime(1);
        corpus_dump expected = dump_of(runtime, path, NULL, options);
        mlm_runtime_free(runtime);
        for (int32_t threads = 1; threads <= 3; threads++) {
            runtime = make_runtime(threads);
            assert_same(expected, dump_of(runtime, path, NULL, options));
            assert_same(expected, dump_of(runtime, path, folder, options));
            assert_same(expected, dump_of(runtime, path, cache, options));
            ck_assert_int_eq(warnings, 0);
            mlm_runtime_free(runtime);
            if (inode == 0)
                inode = inode_of(cache);
            ck_assert_uint_eq(inode_of(cache), inode); /* used, not made again */
            ck_assert(!is_there(fresh));
        }
        free(expected.bytes);
    }
}
END_TEST

/* Made by any number of threads: the same file. */
START_TEST(the_file_does_not_depend_on_threads)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 3, 200);
    const char *names[] = {test_path(folder, "1"), test_path(folder, "2"), test_path(folder, "3")};
    size_t size[3];
    char *bytes[3];
    for (int32_t t = 0; t < 3; t++) {
        mlm_runtime *runtime = make_runtime(t + 1);
        free(dump_of(runtime, path, names[t], usual_options()).bytes);
        mlm_runtime_free(runtime);
        bytes[t] = test_read_file(names[t], &size[t]);
        ck_assert_uint_eq(size[t], size[0]);
        ck_assert(memcmp(bytes[t], bytes[0], size[t]) == 0);
    }
    for (int32_t t = 0; t < 3; t++)
        free(bytes[t]);
}
END_TEST

/* A text that changes, if only in one letter or in where a file ends, a tokenizer that does. */
START_TEST(what_is_not_the_same_is_read_again)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 1, 30);
    const char *cache = test_path(folder, "cache");
    mlm_runtime *runtime = make_runtime(1);
    mlm_corpus_options options = usual_options();
    free(dump_of(runtime, path, cache, options).bytes);
    size_t size;
    char *text = test_read_file(path, &size);
    text[size / 2] = text[size / 2] == 'a' ? 'b' : 'a';
    test_write_file(path, text, size);
    corpus_dump expected = dump_of(runtime, path, NULL, options);
    assert_same(expected, dump_of(runtime, path, cache, options));
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_warning, "cache was made from another text"));
    assert_same(expected, dump_of(runtime, path, cache, options));
    ck_assert_int_eq(warnings, 1);
    free(expected.bytes);

    mlm_tokenizer *other = letters_tokenizer_of(runtime, 300);
    mlm_corpus *corpus;
    options.cache = cache;
    assert_ok(mlm_corpus_open(runtime, other, &path, 1, &options, &corpus));
    mlm_corpus_free(corpus);
    ck_assert_int_eq(warnings, 2);
    ck_assert_ptr_nonnull(strstr(last_warning, "another tokenizer"));

    /* The same bytes in two files: one document more. */
    const char *halves[] = {test_path(folder, "a"), test_path(folder, "b")};
    size_t half = (size_t)(strchr(text + size / 2, '\n') + 1 - text);
    test_write_file(halves[0], text, half);
    test_write_file(halves[1], text + half, size - half);
    assert_ok(mlm_corpus_open(runtime, other, halves, 2, &options, &corpus));
    mlm_corpus_free(corpus);
    ck_assert_int_eq(warnings, 3);
    mlm_tokenizer_free(other);
    mlm_runtime_free(runtime);
    free(text);
}
END_TEST

/* Text that can be read only once: compared, and used or refused. */
START_TEST(a_pipe_or_a_callback)
{
    const char *folder = test_folder(), *cache = test_path(folder, "cache");
    char *text = letters_random_text(4, 50);
    mlm_runtime *runtime = make_runtime(2);
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    mlm_corpus_options options = usual_options();
    mlm_corpus *corpus;
    corpus_dump dumps[3];
    for (int i = 0; i < 3; i++) { /* without, making it, using it */
        letters_text reader = letters_reader(text, strlen(text), 777);
        options.cache = i > 0 ? cache : NULL;
        assert_ok(mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus));
        dumps[i] = dump_corpus(corpus);
    }
    assert_same(dumps[0], dumps[1]);
    assert_same(dumps[0], dumps[2]);
    free(dumps[0].bytes);
    ino_t inode = inode_of(cache);
    letters_text reader = letters_reader(text, strlen(text) - 1, 777);
    assert_error(mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus),
        MLM_ERR_MISMATCH, "cache: the cache was made from another text, and this one can");
    ck_assert_ptr_null(corpus);
    ck_assert_uint_eq(inode_of(cache), inode);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    free(text);
}
END_TEST

/* A bit of every other byte, and every other length: what is not whole is never used. */
START_TEST(damage)
{
    static const char text[] = "a b\nc d e\n\nf g\n";
    const char *folder = test_folder(), *path = test_path(folder, "text");
    const char *cache = test_path(folder, "cache");
    test_write_file(path, text, sizeof text - 1);
    mlm_runtime *runtime = make_runtime(1);
    corpus_dump expected = dump_of(runtime, path, NULL, usual_options());
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    size_t size;
    char *whole = test_read_file(cache, &size), *broken = malloc(size + 1);
    int made_again = 0;
    for (size_t change = 0; change <= 2 * size; change += 2) { /* a bit, then a length */
        memcpy(broken, whole, size);
        if (change < size)
            broken[change] ^= (char)(1 << change / 2 % 8);
        size_t length = change < size ? size : change - size;
        if (change == 2 * size)
            broken[length++] = 0; /* a byte more */
        test_write_file(cache, broken, length);
        warnings = 0;
        mlm_corpus *corpus;
        bool ours = change < size ? change >= 8 : length >= 8;
        if (!ours) {
            assert_error(open_corpus(runtime, path, cache, usual_options(), &corpus),
                MLM_ERR_FORMAT, "cache: is not a token cache, and is not overwritten");
            size_t kept;
            char *now = test_read_file(cache, &kept);
            ck_assert(kept == length && memcmp(now, broken, length) == 0);
            free(now);
            continue;
        }
        assert_same(expected, dump_of(runtime, path, cache, usual_options()));
        ck_assert_msg(warnings == 1, "change %zu: %d warnings", change, warnings);
        made_again++;
    }
    ck_assert_int_gt(made_again, 100);
    free(whole);
    free(broken);
    free(expected.bytes);
    mlm_runtime_free(runtime);
}
END_TEST

static uint64_t tokenizer_hash(mlm_runtime *runtime)
{
    uint64_t hash;
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    assert_ok(mlm__cache_tokenizer(tokenizer, &hash));
    mlm_tokenizer_free(tokenizer);
    return hash;
}

/* Numbers that lie, with hashes that are right: found, and no memory is asked for. */
START_TEST(hostile_numbers)
{
    static const char text[] = "a b\nc d e\n\nf g\n";
    enum { TOKENS = 32, LINES = 40, TOKEN_HASH = 88, HEADER_HASH = 104, CONTENT = 112, COUNT = 7 };
    const char *folder = test_folder(), *path = test_path(folder, "text");
    const char *cache = test_path(folder, "cache");
    test_write_file(path, text, sizeof text - 1);
    mlm_runtime *runtime = make_runtime(1);
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    size_t size;
    char *whole = test_read_file(cache, &size);
    uint64_t tokenizer = tokenizer_hash(runtime), hash;
    for (int change = 0; change < 7; change++) {
        mlm__store store;
        mlm__xxh64 xxh;
        int64_t tokens = COUNT, lines = 3;
        uint16_t ids[COUNT];
        uint32_t counts[3];
        memcpy(ids, whole + CONTENT, sizeof ids);
        memcpy(counts, whole + CONTENT + sizeof ids, sizeof counts);
        ck_assert_uint_eq(size, CONTENT + sizeof ids + sizeof counts);
        switch (change) {
        case 0:
            break;
        case 1:
            tokens = INT64_MAX / 2 + 9;
            break;
        case 2:
            lines = INT64_MAX;
            break;
        case 3:
            tokens = -1;
            break;
        case 4:
            ids[3] = LETTERS_V;
            break;
        case 5:
            counts[1] = UINT32_MAX;
            break;
        case 6:
            counts[0] &= ~UINT32_C(1);
            break;
        }
        memcpy(whole + TOKENS, &tokens, sizeof tokens);
        memcpy(whole + LINES, &lines, sizeof lines);
        char *bytes = malloc(size);
        memcpy(bytes, whole, size);
        memcpy(bytes + CONTENT, ids, sizeof ids);
        memcpy(bytes + CONTENT + sizeof ids, counts, sizeof counts);
        for (int part = 0; part < 3; part++) {
            static const size_t begins[] = {CONTENT, CONTENT + sizeof ids, 0};
            static const size_t sizes[] = {sizeof ids, sizeof counts, HEADER_HASH};
            mlm__xxh64_init(&xxh);
            mlm__xxh64_update(&xxh, bytes + begins[part], sizes[part]);
            hash = mlm__xxh64_digest(&xxh);
            memcpy(bytes + TOKEN_HASH + 8 * part, &hash, sizeof hash);
        }
        test_write_file(cache, bytes, size);
        int64_t peak;
        mlm_status status = mlm__cache_open(runtime, cache, LETTERS_V, tokenizer, &store, &hash);
        if (change == 0) {
            assert_ok(status);
            mlm__store_clear(&store);
        } else {
            assert_error(status, MLM_ERR_MISMATCH, "cache: the cache is damaged");
        }
        mlm_runtime_memory(runtime, NULL, &peak);
        ck_assert_int_lt(peak, 20000000);
        free(bytes);
    }
    free(whole);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(what_is_in_the_way_stays)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 1, 5);
    const char *cache = test_path(folder, "cache"), *fresh = test_path(folder, "cache.new");
    mlm_runtime *runtime = make_runtime(1);
    mlm_corpus *corpus;
    static const char *const others[] = {"", "{}", "a text of somebody's\n"};
    for (size_t i = 0; i < 3; i++) {
        test_write_file(cache, others[i], strlen(others[i]));
        assert_error(open_corpus(runtime, path, cache, usual_options(), &corpus), MLM_ERR_FORMAT,
            "cache: is not a token cache");
        size_t size;
        char *now = test_read_file(cache, &size);
        ck_assert_str_eq(now, others[i]);
        free(now);
    }
    unlink(cache);
    test_write_file(fresh, "mine and long", 13);
    assert_error(open_corpus(runtime, path, cache, usual_options(), &corpus), MLM_ERR_IO,
        "cache.new: is in the way");
    ck_assert(is_there(fresh) && !is_there(cache));
    unlink(fresh);
    ck_assert_int_eq(mkfifo(fresh, 0600), 0);
    assert_error(open_corpus(runtime, path, cache, usual_options(), &corpus), MLM_ERR_IO,
        "cache.new: is in the way");
    ck_assert(is_there(fresh));
    unlink(fresh);
    ck_assert_int_eq(symlink("elsewhere", fresh), 0);
    assert_error(open_corpus(runtime, path, cache, usual_options(), &corpus), MLM_ERR_IO,
        "cache.new: is in the way");
    unlink(fresh);
    assert_error(
        open_corpus(runtime, path, test_path(folder, "absent/cache"), usual_options(), &corpus),
        MLM_ERR_NOT_FOUND, "absent/cache.new: cannot create");
    /* Behind a symbolic link the file is replaced, not the link. */
    const char *link = test_path(folder, "link");
    ck_assert_int_eq(symlink("cache", link), 0);
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    write_text(folder, "text", 2, 5);
    free(dump_of(runtime, path, link, usual_options()).bytes);
    ck_assert_int_eq(warnings, 1);
    struct stat status;
    ck_assert_int_eq(lstat(link, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    ck_assert_int_eq(warnings, 1);
    mlm_runtime_free(runtime);
}
END_TEST

static int stop_at(void *user, const char *what, int64_t done, int64_t total)
{
    int *calls = user;
    (void)what, (void)done, (void)total;
    return --*calls > 0 ? MLM_CONTINUE : 0;
}

/* Stopped at the n-th call of the progress callback: the cache is whole or absent. */
START_TEST(stopping)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 6, 10);
    const char *cache = test_path(folder, "cache"), *fresh = test_path(folder, "cache.new");
    mlm_runtime *plain = make_runtime(1);
    corpus_dump expected = dump_of(plain, path, NULL, usual_options());
    mlm_status status = MLM_STOPPED;
    int stops = 0;
    for (int n = 1; status == MLM_STOPPED; n++) {
        int calls = n;
        mlm_runtime_options options;
        mlm_runtime *runtime;
        mlm_corpus *corpus;
        mlm_runtime_options_init(&options, sizeof options);
        options.user = &calls;
        options.progress = stop_at;
        assert_ok(mlm_runtime_create(&options, &runtime));
        status = open_corpus(runtime, path, cache, usual_options(), &corpus);
        mlm_runtime_free(runtime);
        ck_assert(!is_there(fresh));
        if (status == MLM_OK)
            mlm_corpus_free(corpus);
        stops += status == MLM_STOPPED;
        if (is_there(cache)) {
            assert_same(expected, dump_of(plain, path, cache, usual_options()));
            ck_assert_int_eq(warnings, 0);
        }
    }
    assert_ok(status);
    ck_assert_int_gt(stops, 1);
    free(expected.bytes);
    mlm_runtime_free(plain);
}
END_TEST

static int kill_at(void *user, const char *what, int64_t done, int64_t total)
{
    int *calls = user;
    (void)what, (void)done, (void)total;
    if (--*calls == 0)
        kill(getpid(), SIGKILL);
    return MLM_CONTINUE;
}

/* A process that is killed while it makes the cache, and the next one, which finds what is left. */
START_TEST(killing)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 6, 10);
    const char *cache = test_path(folder, "cache"), *fresh = test_path(folder, "cache.new");
    int left = 0;
    for (int n = 1; n < 6; n++) {
        unlink(cache);
        pid_t child = fork();
        if (child == 0) {
            int calls = n;
            mlm_runtime_options options;
            mlm_runtime *runtime;
            mlm_corpus *corpus;
            mlm_runtime_options_init(&options, sizeof options);
            options.user = &calls;
            options.progress = kill_at;
            if (mlm_runtime_create(&options, &runtime) == MLM_OK &&
                open_corpus(runtime, path, cache, usual_options(), &corpus) == MLM_OK)
                _exit(0);
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        left += is_there(fresh);
        ck_assert(!(is_there(fresh) && is_there(cache)));
        mlm_runtime *runtime = make_runtime(1);
        corpus_dump expected = dump_of(runtime, path, NULL, usual_options());
        assert_same(expected, dump_of(runtime, path, cache, usual_options()));
        ck_assert_int_eq(warnings, 0);
        ck_assert(is_there(cache) && !is_there(fresh));
        free(expected.bytes);
        mlm_runtime_free(runtime);
    }
    ck_assert_int_gt(left, 0);
}
END_TEST

/* Ranks that open the same cache at once: one makes it, the others wait. */
START_TEST(processes_at_once)
{
    enum { PROCESSES = 4 };
    const char *folder = test_folder(), *path = write_text(folder, "text", 9, 2000);
    const char *cache = test_path(folder, "cache");
    pid_t children[PROCESSES];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            mlm_runtime *runtime = make_runtime(1);
            mlm_corpus *corpus;
            mlm_status status = open_corpus(runtime, path, cache, usual_options(), &corpus);
            if (status != MLM_OK)
                fprintf(stderr, "# %s\n", mlm_last_error());
            ino_t found = inode_of(cache);
            bool told = write(ends[1], &found, sizeof found) == sizeof found;
            _exit(status != MLM_OK || warnings != 0 || !told);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        waitpid(children[p], &status, 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ck_assert(!is_there(test_path(folder, "cache.new")));
    mlm_runtime *runtime = make_runtime(1);
    ino_t inode = inode_of(cache), found;
    for (int p = 0; p < PROCESSES; p++) {
        ck_assert_int_eq(read(ends[0], &found, sizeof found), sizeof found);
        ck_assert_uint_eq(found, inode);
    }
    close(ends[0]);
    close(ends[1]);
    corpus_dump expected = dump_of(runtime, path, NULL, usual_options());
    assert_same(expected, dump_of(runtime, path, cache, usual_options()));
    ck_assert_uint_eq(inode_of(cache), inode);
    free(expected.bytes);
    mlm_runtime_free(runtime);
}
END_TEST

/* Room for so many bytes, as on a disk that fills: at every size the cache is whole or absent. */
START_TEST(a_disk_that_fills)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 9, 20);
    const char *cache = test_path(folder, "cache"), *fresh = test_path(folder, "cache.new");
    struct rlimit usual, limit;
    signal(SIGXFSZ, SIG_IGN);
    mlm_runtime *runtime = make_runtime(1);
    mlm_corpus *corpus;
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    struct stat whole;
    ck_assert_int_eq(stat(cache, &whole), 0);
    unlink(cache);
    getrlimit(RLIMIT_FSIZE, &usual);
    limit = usual;
    for (off_t room = 0; room < whole.st_size; room += room < 200 ? 7 : 3001) {
        limit.rlim_cur = (rlim_t)room;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        mlm_status status = open_corpus(runtime, path, cache, usual_options(), &corpus);
        setrlimit(RLIMIT_FSIZE, &usual);
        assert_error(status, MLM_ERR_IO, "cache.new: cannot write: File too large");
        ck_assert(!is_there(cache) && !is_there(fresh));
    }
    mlm_runtime_free(runtime);
}
END_TEST

/* Another process cuts the cache while it is in use: an error that names it, and no signal. */
START_TEST(cut_while_in_use)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 9, 300);
    const char *cache = test_path(folder, "cache");
    mlm_runtime *runtime = make_runtime(1);
    mlm_corpus *corpus;
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    assert_ok(open_corpus(runtime, path, cache, usual_options(), &corpus));
    ck_assert_int_eq(truncate(cache, 1000), 0);
    mlm_status status = MLM_OK;
    int64_t position = 0;
    while (status == MLM_OK) {
        position = mlm__corpus_position(corpus);
        status = mlm_corpus_next(corpus, &batch);
    }
    assert_error(status, MLM_ERR_IO, "cache: ends before byte ");
    ck_assert_int_eq(mlm__corpus_position(corpus), position);
    mlm_corpus_free(corpus);
    mlm_runtime_free(runtime);
}
END_TEST

/* Whoever holds a cache goes on when it is replaced. */
START_TEST(replaced_while_in_use)
{
    const char *folder = test_folder(), *path = write_text(folder, "text", 9, 30);
    const char *cache = test_path(folder, "cache");
    mlm_runtime *runtime = make_runtime(1);
    mlm_corpus *corpus;
    corpus_dump expected = dump_of(runtime, path, NULL, usual_options());
    assert_ok(open_corpus(runtime, path, cache, usual_options(), &corpus));
    write_text(folder, "text", 10, 30);
    free(dump_of(runtime, path, cache, usual_options()).bytes);
    assert_same(expected, dump_corpus(corpus));
    free(expected.bytes);
    mlm_runtime_free(runtime);
}
END_TEST

struct paths {
    const char *text, *cache;
};

static mlm_status use_cache(mlm_runtime *runtime, void *context)
{
    const struct paths *paths = context;
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_corpus_options options = usual_options();
    mlm_corpus *corpus;
    options.cache = paths->cache;
    mlm_status status = mlm_corpus_open(runtime, tokenizer, &paths->text, 1, &options, &corpus);
    mlm_tokenizer_free(tokenizer);
    if (status != MLM_OK)
        return status;
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    status = mlm_corpus_next(corpus, &batch);
    mlm_corpus_free(corpus);
    return status;
}

static mlm_status make_cache(mlm_runtime *runtime, void *context)
{
    const struct paths *paths = context;
    unlink(paths->cache);
    return use_cache(runtime, context);
}

START_TEST(without_memory)
{
    const char *folder = test_folder();
    struct paths paths = {write_text(folder, "text", 9, 30), test_path(folder, "cache")};
    test_out_of_memory(make_cache, &paths);
    ck_assert(is_there(paths.cache) && !is_there(test_path(folder, "cache.new")));
    test_out_of_memory(use_cache, &paths);
}
END_TEST

Suite *cache_suite(void)
{
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, the_same_with_and_without);
    tcase_add_test(tests, the_file_does_not_depend_on_threads);
    tcase_add_test(tests, what_is_not_the_same_is_read_again);
    tcase_add_test(tests, a_pipe_or_a_callback);
    tcase_add_test(tests, damage);
    tcase_add_test(tests, hostile_numbers);
    tcase_add_test(tests, what_is_in_the_way_stays);
    tcase_add_test(tests, stopping);
    tcase_add_test(tests, killing);
    tcase_add_test(tests, processes_at_once);
    tcase_add_test(tests, a_disk_that_fills);
    tcase_add_test(tests, cut_while_in_use);
    tcase_add_test(tests, replaced_while_in_use);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
