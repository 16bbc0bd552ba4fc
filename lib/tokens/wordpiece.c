#include "tokens/wordpiece.h"

#include "text/utf8.h"

void mlm__wordpiece_init(
    mlm__wordpiece *wordpiece, const mlm__trie *trie, int32_t unknown, size_t max_characters)
{
    int32_t node = mlm__trie_step(trie, MLM__TRIE_ROOT, '#');
    *wordpiece = (mlm__wordpiece){
        .trie = trie,
        .continuing = node == MLM__TRIE_NONE ? node : mlm__trie_step(trie, node, '#'),
        .unknown = unknown,
        .max_characters = max_characters,
    };
}

size_t mlm__wordpiece_split(const mlm__wordpiece *wordpiece, const uint8_t *word, size_t size,
    mlm__piece *pieces, size_t capacity)
{
    const mlm__trie *trie = wordpiece->trie;
    size_t count = 0, begin = 0;
    if (size > wordpiece->max_characters && mlm__utf8_count(word, size) > wordpiece->max_characters)
        goto unknown;
    while (begin < size) {
        int32_t node = begin == 0 ? MLM__TRIE_ROOT : wordpiece->continuing;
        mlm__piece longest = {-1, 0};
        for (size_t i = begin; i < size && node != MLM__TRIE_NONE; i++) {
            node = mlm__trie_step(trie, node, word[i]);
            if (trie->nodes[node].id >= 0)
                longest = (mlm__piece){trie->nodes[node].id, (uint32_t)(i + 1)};
        }
        if (longest.id < 0)
            goto unknown;
        if (count < capacity)
            pieces[count] = longest;
        count++;
        begin = longest.end;
    }
    return count;
unknown:
    if (capacity > 0)
        pieces[0] = (mlm__piece){wordpiece->unknown, (uint32_t)size};
    return 1;
}
