#include "support/ranks.h"

#include <string.h>

#include "support/support.h"

void test_exchange_open(test_exchange *exchange)
{
    memset(exchange, 0, sizeof *exchange);
    pthread_barrier_init(&exchange->barrier, NULL, TEST_RANKS);
}

void test_exchange_close(test_exchange *exchange)
{
    pthread_barrier_destroy(&exchange->barrier);
}

static void add(void *sum, const void *number, size_t count, int32_t dtype)
{
    for (size_t i = 0; i < count; i++) {
        if (dtype == MLM_F32)
            ((float *)sum)[i] += ((const float *)number)[i];
        else if (dtype == MLM_F64)
            ((double *)sum)[i] += ((const double *)number)[i];
        else
            ((int64_t *)sum)[i] += ((const int64_t *)number)[i];
    }
}

int test_allreduce(void *user, void *data, size_t count, int32_t dtype)
{
    const test_rank *self = user;
    test_exchange *exchange = self->exchange;
    exchange->data[self->rank] = data;
    exchange->calls[self->rank]++;
    pthread_barrier_wait(&exchange->barrier);
    if (self->rank == 0) {
        add(data, exchange->data[1], count, dtype);
        memcpy(
            exchange->data[1], data, count * (dtype == MLM_F32 ? sizeof(float) : sizeof(double)));
        if ((int64_t)count > exchange->longest)
            exchange->longest = (int64_t)count;
    }
    pthread_barrier_wait(&exchange->barrier);
    return exchange->calls[self->rank] == exchange->fail_at ? 0 : MLM_CONTINUE;
}

void test_run_ranks(void *(*work)(void *), void *first, void *second)
{
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, work, second), 0);
    work(first);
    pthread_join(other, NULL);
}
