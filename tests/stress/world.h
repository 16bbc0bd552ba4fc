/* The five handles with all that a call may want, and every public function as a call on them whose
   results can be compared: what the tests of this folder do under circumstances of their own. */
#ifndef MLM_TESTS_STRESS_WORLD_H
#define MLM_TESTS_STRESS_WORLD_H

#include "mlm/mlm.h"
#include "trainer/training.h"

enum { WORLD_NUMBERS = 1024 };

typedef struct world {
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus;
    mlm_masker *masker;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    training_batch memory;
    mlm_batch batch;  /* of three sequences, with all labels */
    char target[512]; /* a path where nothing is yet */

    /* What a call gave. */
    struct {
        mlm_runtime *runtime;
        mlm_tokenizer *tokenizer;
        mlm_corpus *corpus;
        mlm_masker *masker;
        mlm_encoder *encoder;
        mlm_trainer *trainer;
    } made;
    float floats[WORLD_NUMBERS];
    int64_t integers[WORLD_NUMBERS];
    int32_t ids[WORLD_NUMBERS], others[WORLD_NUMBERS];
    char text[WORLD_NUMBERS];
    mlm_metrics metrics;
    mlm_batch given;
    mlm_tensor tensor;
} world;

typedef struct world_call {
    const char *function; /* of mlm.h */
    const char *variant;  /* NULL: there is one call of it */
    mlm_status (*call)(world *w);
    void (*prepare)(world *w); /* before the call, where failures do not come; or NULL */
} world_call;

extern const world_call world_calls[];
extern const size_t world_call_count;

/* A name for messages, in static memory. */
const char *world_call_name(const world_call *call);

/* A world on this runtime, which stays the caller's. All worlds of a process are alike. */
world *world_make(mlm_runtime *runtime, const world_call *call);
void world_free(world *w);
/* Frees what a call made. */
void world_forget(world *w);

/* The bytes of all that a call gave and changed, for free(): handles that it made are used, files
   that it wrote read. */
char *world_describe(world *w, size_t *size);

/* What the call gives when nothing is wrong, in one thread; for free(). */
char *world_expected(const world_call *call, size_t *size);

#endif
