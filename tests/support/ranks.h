/* Two ranks as two threads of one process. */
#ifndef MLM_TESTS_RANKS_H
#define MLM_TESTS_RANKS_H

#include <pthread.h>
#include <stdint.h>

enum { TEST_RANKS = 2 };

/* calls counts the collectives; the fail_at-th (from 1 on) fails on both; 0: none. longest is the
   most numbers of one. */
typedef struct test_exchange {
    pthread_barrier_t barrier;
    void *data[TEST_RANKS];
    int64_t calls[TEST_RANKS], fail_at, longest;
} test_exchange;

void test_exchange_open(test_exchange *exchange);
void test_exchange_close(test_exchange *exchange);

typedef struct test_rank {
    test_exchange *exchange;
    int32_t rank;
} test_rank;

/* An all-reduce callback, whose user is a test_rank: adds up what both bring. */
int test_allreduce(void *user, void *data, size_t count, int32_t dtype);

/* work with each of the two, until both are done. It asserts nothing: Check is not for threads. */
void test_run_ranks(void *(*work)(void *), void *first, void *second);

#endif
