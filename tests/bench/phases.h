/* Where the time of a step goes, without help from the library: the linker puts a timer around each
   function of phases.c (ld --wrap). */
#ifndef MLM_TESTS_BENCH_PHASES_H
#define MLM_TESTS_BENCH_PHASES_H

enum {
    PHASE_REST,    /* what is in none of the others */
    PHASE_PACKING, /* of the weights, once an update */
    PHASE_EMBEDDING,
    PHASE_LINEAR,    /* of layers and head, with bias and activation */
    PHASE_ATTENTION, /* scores, softmax, context */
    PHASE_RESIDUAL,  /* dropout, sum, layer norm */
    PHASE_LOSS,      /* decoder and cross-entropy */
    PHASE_LOSS_BACKWARD,
    PHASE_LINEAR_BACKWARD, /* to the inputs */
    PHASE_ATTENTION_BACKWARD,
    PHASE_RESIDUAL_BACKWARD,
    PHASE_WEIGHT_GRADIENTS,
    PHASE_EMBEDDING_BACKWARD,
    PHASE_GRADIENT_NORM,
    PHASE_ADAMW,
    PHASE_COUNT
};
extern const char *const phase_names[PHASE_COUNT];

/* Seconds in each phase, without those inside it, since phases_reset, on the one thread that
   trains. */
extern double phase_seconds[PHASE_COUNT];
void phases_reset(void);
/* Adds the phase at hand up to now. */
void phases_stop(void);

#endif
