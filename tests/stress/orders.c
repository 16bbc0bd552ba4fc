/* The six kinds of handles are freed in every order: each keeps what it was built from alive. */
#include <stdlib.h>

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

enum { KINDS = 6, ORDERS = 720 };

static void free_kind(world *w, int kind)
{
    switch (kind) {
    case 0:
        mlm_runtime_free(w->runtime);
        break;
    case 1:
        mlm_tokenizer_free(w->tokenizer);
        w->tokenizer = NULL;
        break;
    case 2:
        mlm_corpus_free(w->corpus);
        w->corpus = NULL;
        break;
    case 3:
        mlm_masker_free(w->masker);
        w->masker = NULL;
        break;
    case 4:
        mlm_encoder_free(w->encoder);
        w->encoder = NULL;
        break;
    default:
        mlm_trainer_free(w->trainer);
        w->trainer = NULL;
    }
}

/* What is left works. */
static void use(world *w)
{
    mlm_batch batch;
    int32_t ids[8];
    size_t count;
    mlm_batch_init(&batch, sizeof batch);
    if (w->tokenizer)
        assert_ok(mlm_tokenizer_encode(w->tokenizer, "a b", 3, NULL, ids, NULL, 8, &count));
    if (w->corpus)
        assert_ok(mlm_corpus_next(w->corpus, &batch));
    if (w->masker)
        assert_ok(mlm_masker_apply(w->masker, &w->batch, &batch));
    if (w->encoder)
        assert_ok(mlm_encoder_losses(w->encoder, &w->batch, w->floats));
    if (w->trainer)
        training_updates(w->trainer, 1);
}

/* Order number n of so many things. */
static void permutation(int n, int order[KINDS])
{
    int left[KINDS];
    for (int i = 0; i < KINDS; i++)
        left[i] = i;
    for (int i = 0, rest = KINDS; i < KINDS; i++, rest--) {
        int at = n % rest;
        n /= rest;
        order[i] = left[at];
        left[at] = left[rest - 1];
    }
}

START_TEST(every_order_will_do)
{
    const world_call attach = {"mlm_trainer_attach", NULL, NULL, NULL};
    memory_watch();
    world_free(world_make(NULL, &attach)); /* the files are written */
    const int64_t at_first = memory_blocks();
    for (int n = 0; n < ORDERS; n++) {
        int order[KINDS];
        permutation(n, order);
        world *w = world_make(memory_runtime(2), &attach);
        assert_ok(mlm_trainer_attach(w->trainer, w->tokenizer, w->corpus, w->masker));
        for (int i = 0; i < KINDS; i++) {
            free_kind(w, order[i]);
            if (n % 7 == 0) /* each kind comes first, and each last, in some of these */
                use(w);
        }
        world_free(w);
        ck_assert_int_eq(memory_blocks(), at_first);
    }
}
END_TEST

Suite *orders_suite(void)
{
    Suite *suite = suite_create("orders");
    TCase *tests = tcase_create("orders");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_order_will_do);
    suite_add_tcase(suite, tests);
    return suite;
}
