#include "batches/order.h"

/* Four rounds make a Feistel network of independent functions a strong pseudo-random permutation
   (Luby and Rackoff 1988) where the halves are wide; small counts need the others. */
enum { ROUNDS = 8 };

mlm__order mlm__order_make(uint64_t seed, int64_t epoch, int64_t count)
{
    mlm__order order = {
        .key = mlm__random_key_make(seed, MLM__RANDOM_ORDER, epoch), .count = count};
    while (order.half_bits < 31 && INT64_C(1) << 2 * order.half_bits < count)
        order.half_bits++;
    return order;
}

/* The permutation of [0, 4^half_bits): per round (left, right) = (right, left ^ f(right)), where f
   is word 0 of Philox at (position = right, site = round, index = 0). */
static uint64_t permute(const mlm__order *order, uint64_t value)
{
    uint64_t mask = (UINT64_C(1) << order->half_bits) - 1;
    uint64_t left = value >> order->half_bits, right = value & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t word[4];
        mlm__random_block(order->key, (int64_t)right, round, 0, word);
        uint64_t next = left ^ (word[0] & mask);
        left = right;
        right = next;
    }
    return left << order->half_bits | right;
}

/* Walks along the cycle of the larger permutation until it is back below count (Black and Rogaway,
   "Ciphers with arbitrary finite domains", 2002): a bijection, for the way back is unique. */
int64_t mlm__order_at(const mlm__order *order, int64_t index)
{
    uint64_t value = (uint64_t)index;
    do
        value = permute(order, value);
    while (value >= (uint64_t)order->count);
    return (int64_t)value;
}
