#include "support/support.h"

#include <ftw.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 512, PATHS = 16 };

static char root[PATH_SIZE]; /* of this program's folders */

static char *next_path(void)
{
    static char paths[PATHS][PATH_SIZE];
    static unsigned used;
    return paths[used++ % PATHS];
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

int test_main(Suite *(*const suites[])(void), size_t count)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/mlm-test-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(root)) {
        perror(root);
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < count; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void assert_close_f64(const double *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what)
{
    size_t first = count;
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs(actual[i] - expected[i]);
        if (!(error <= atol + rtol * fabs(expected[i])) && first == count)
            first = i;
        if (error > largest)
            largest = error;
    }
    if (first < count)
        ck_abort_msg("%s[%zu] is %.17g, not %.17g; largest error %.3g", what, first, actual[first],
            expected[first], largest);
}

void assert_close_f32(const float *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what)
{
    double *widened = malloc((count + !count) * sizeof *widened);
    ck_assert_ptr_nonnull(widened);
    for (size_t i = 0; i < count; i++)
        widened[i] = actual[i];
    assert_close_f64(widened, expected, count, rtol, atol, what);
    free(widened);
}

const char *test_folder(void)
{
    char *folder = next_path();
    snprintf(folder, PATH_SIZE, "%.400s/XXXXXX", root);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

const char *test_path(const char *folder, const char *name)
{
    char *path = next_path();
    ck_assert_int_lt(snprintf(path, PATH_SIZE, "%s/%s", folder, name), PATH_SIZE);
    return path;
}

void test_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

char *test_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    ck_assert_int_ge(length, 0);
    rewind(file);
    char *data = malloc((size_t)length + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    data[length] = 0;
    if (size)
        *size = (size_t)length;
    return data;
}

const char *test_data(void)
{
    const char *data = getenv("MLM_TEST_DATA");
    /* Past stdio's buffer, which a forked test inherits and would print again. */
    if (!data)
        dprintf(STDOUT_FILENO, "# skipped: MLM_TEST_DATA is not set\n");
    return data;
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

double test_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(test_random(state) >> 11) * 0x1p-53);
}

static void *counting_alloc(void *user, size_t size, size_t alignment)
{
    test_allocator *allocator = user;
    void *memory = NULL;
    if (++allocator->allocations == allocator->fail_at ||
        posix_memalign(&memory, alignment, size) != 0)
        return NULL;
    allocator->live_blocks++;
    allocator->live_bytes += (int64_t)size;
    return memory;
}

static void counting_release(void *user, void *memory, size_t size)
{
    test_allocator *allocator = user;
    allocator->live_blocks--;
    allocator->live_bytes -= (int64_t)size;
    free(memory);
}

mlm_runtime *test_allocator_runtime(test_allocator *allocator, int32_t threads, int64_t fail_at)
{
    *allocator = (test_allocator){0};
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    options.user = allocator;
    options.alloc = counting_alloc;
    options.release = counting_release;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    allocator->allocations = 0;
    allocator->fail_at = fail_at;
    return runtime;
}

void test_out_of_memory(test_attempt_fn *attempt, void *context)
{
    for (int64_t n = 1;; n++) {
        test_allocator allocator;
        mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, n);
        mlm_status status = attempt(runtime, context);
        mlm_runtime_free(runtime);
        ck_assert_msg(allocator.live_blocks == 0 && allocator.live_bytes == 0,
            "allocation %lld failed: %lld blocks of %lld bytes are left", (long long)n,
            (long long)allocator.live_blocks, (long long)allocator.live_bytes);
        if (allocator.allocations < n) {
            assert_ok(status);
            return;
        }
        ck_assert_msg(status == MLM_ERR_MEMORY, "allocation %lld failed: %s (%s)", (long long)n,
            mlm_status_name(status), mlm_last_error());
    }
}

bool test_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "comma"};
    static char made[PATH_SIZE];
    for (size_t i = 0; i < 4; i++) {
        if (i == 3 && !made[0]) {
            char command[2 * PATH_SIZE + 64];
            snprintf(made, sizeof made, "%s", test_folder());
            snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma >%s/log 2>&1",
                made, made);
            if (system(command) != 0)
                break;
        }
        if (i == 3)
            setenv("LOCPATH", made, 1);
        if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0)
            return true;
    }
    setlocale(LC_ALL, "C");
    dprintf(STDOUT_FILENO, "# skipped: no locale with a decimal comma, and no localedef\n");
    return false;
}
