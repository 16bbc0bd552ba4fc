/* tokenize: a line of text in, a line of tokens, ids or byte spans out. */
#include "lines.h"

struct settings {
    const char *vocab;
    int cased, special, ids, spans;
    int64_t profile;
};

/* Room for the tokens of one line, which grows with the longest. */
struct room {
    int32_t *ids, *spans;
    size_t capacity;
};

static void reserve(struct room *room, size_t capacity)
{
    if (capacity <= room->capacity)
        return;
    free(room->ids);
    free(room->spans);
    room->ids = allocate(capacity, sizeof *room->ids);
    room->spans = allocate(2 * capacity, sizeof *room->spans);
    room->capacity = capacity;
}

static void print_line(const struct settings *settings, const mlm_tokenizer *tokenizer,
    const struct room *room, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        if (i)
            putchar(' ');
        if (settings->ids)
            printf("%d", room->ids[i]);
        else if (settings->spans)
            printf("%d-%d", room->spans[2 * i], room->spans[2 * i + 1]);
        else
            fputs(mlm_tokenizer_token(tokenizer, room->ids[i]), stdout);
    }
    putchar('\n');
}

static int tokenize(const struct settings *settings, const char *path)
{
    struct lines lines = lines_open(path);
    struct room room = {NULL, NULL, 0};
    mlm_tokenizer_options options;
    mlm_encode_options encoding;
    mlm_tokenizer *tokenizer;
    const char *line;
    size_t length, count;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = (int32_t)settings->profile;
    if (settings->cased)
        options.lowercase = 0;
    check(mlm_tokenizer_load(NULL, settings->vocab, &options, &tokenizer));
    mlm_encode_options_init(&encoding, sizeof encoding);
    encoding.add_special_tokens = settings->special;
    while (!ferror(stdout) && (line = lines_next(&lines, &length)) != NULL) {
        reserve(&room, length + 2);
        check(mlm_tokenizer_encode(
            tokenizer, line, length, &encoding, room.ids, room.spans, room.capacity, &count));
        print_line(settings, tokenizer, &room, count);
    }
    free(room.ids);
    free(room.spans);
    mlm_tokenizer_free(tokenizer);
    lines_close(&lines);
    return finish_output();
}

int main(int argc, char **argv)
{
    struct settings settings = {NULL, 0, 0, 0, 0, -1};
    const struct option options[] = {
        {OPTION_TEXT, "--vocab", "PATH", "vocab.txt, tokenizer.json or a model's directory",
            &settings.vocab, 0, 0},
        {OPTION_SWITCH, "--cased", NULL,
            "keep capitals and accents (default: as the files say, else not)", &settings.cased, 0,
            0},
        {OPTION_CHOICE, "--profile", "hf|google",
            "whose normalisation (default: as the files say, else hf)", &settings.profile, 0, 0},
        {OPTION_SWITCH, "--special", NULL, "add [CLS] and [SEP]", &settings.special, 0, 0},
        {OPTION_SWITCH, "--ids", NULL, "print ids", &settings.ids, 0, 0},
        {OPTION_SWITCH, "--spans", NULL,
            "print the bytes FROM-TO of the line that each token covers", &settings.spans, 0, 0},
    };
    const struct program program = {"tokenize", "--vocab PATH [options] [FILE]",
        "Prints the tokens of each line of FILE, or of standard input.", options, COUNT(options), 0,
        1};
    const size_t count = read_options(&program, argc, argv);
    if (!settings.vocab)
        refuse("--vocab is missing");
    if (settings.ids && settings.spans)
        refuse("--ids and --spans exclude each other");
    return tokenize(&settings, count ? argv[0] : NULL);
}
