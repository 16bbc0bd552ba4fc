#!/usr/bin/env python3
"""Writes random_map.h: an order, masks and pairs, computed from docs/data.md alone."""

M32, M64 = 2**32 - 1, 2**64 - 1
ORDER, MASK, PAIRS = 2, 3, 5


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M32, (a >> 32) ^ c[3] ^ k[1], a & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


def make_key(seed, purpose, step):
    return philox([purpose, 0, step & M32, step >> 32], [seed & M32, seed >> 32])[:2]


def block(key, position, site, index):
    return philox([index, site, position & M32, position >> 32], key)


class Stream:
    def __init__(self, key, position, site):
        self.words = (word for index in range(2**32)
                      for word in block(key, position, site, index))

    def double(self):
        high, low = next(self.words), next(self.words)
        return ((high << 32 | low) >> 11) * 2.0**-53

    def below(self, n):
        while True:
            product = next(self.words) * n
            if product & M32 >= 2**32 % n:
                return product >> 32


def order(seed, epoch, count):
    key, half = make_key(seed, ORDER, epoch), 0
    while 4**half < count:
        half += 1
    result = []
    for value in range(count):
        while True:
            left, right = value >> half, value % 2**half
            for site in range(8):
                left, right = right, left ^ block(key, right, site, 0)[0] % 2**half
            value = left << half | right
            if value < count:
                break
        result.append(value)
    return result


def pairs(documents, seed, T, short_seq_prob):
    """documents: lists of sentences, which are lists of places in the text."""
    key, room, result = make_key(seed, PAIRS, 0), T - 3, []
    for d, document in enumerate(documents):
        stream, target = Stream(key, d, 0), room
        if stream.double() < short_seq_prob:
            target = 2 + stream.below(room - 1)
        i, k = 0, 0
        while i < len(document):
            chunk = []
            while i < len(document) and sum(map(len, chunk)) < target:
                chunk.append(document[i])
                i += 1
            stream = Stream(key, d, 1 + k)
            k += 1
            a_end = 1 + stream.below(len(chunk) - 1) if len(chunk) > 1 else 1
            a, b = sum(chunk[:a_end], []), []
            random = len(chunk) == 1 or stream.double() < 0.5
            if random:
                wanted = target - len(a)
                for _ in range(10):
                    other = stream.below(len(documents))
                    if other != d:
                        break
                for sentence in documents[other][stream.below(len(documents[other])):]:
                    b += sentence
                    if len(b) >= wanted:
                        break
                i -= len(chunk) - a_end
            else:
                b = sum(chunk[a_end:], [])
            while len(a) + len(b) > room:
                longer = a if len(a) > len(b) else b
                longer.pop(0 if stream.double() < 0.5 else -1)
            assert a == list(range(a[0], a[-1] + 1)) and b == list(range(b[0], b[-1] + 1))
            result.append((a[0], len(a), b[0], len(b), int(random)))
    return result


PAD, UNK, CLS, SEP, MASK_ID, A = range(6)
CONTINUED_A, V = A + 26, A + 52


def mask(ids, seed, position, whole_words, each, p, ordinary, limit=10**9):
    key = make_key(seed, MASK, 0)
    groups = []
    for i, token in enumerate(ids):
        if token in (PAD, CLS, SEP, MASK_ID):
            continue
        if whole_words and token >= CONTINUED_A and groups and groups[-1][-1] == i - 1:
            groups[-1].append(i)
        else:
            groups.append([i])
    if each:
        groups = [g for g in groups if Stream(key, position, 1 + 2 * g[0]).double() < p]
        budget = limit
    else:
        budget = min(limit, max(1, round(p * sum(map(len, groups)))))
    stream, chosen = Stream(key, position, 0), []
    for j in range(len(groups)):
        if budget == 0:
            break
        other = j + stream.below(len(groups) - j)
        groups[j], groups[other] = groups[other], groups[j]
        if len(groups[j]) <= budget:
            chosen += groups[j]
            budget -= len(groups[j])
    masked, labels = list(ids), [-100] * len(ids)
    ordinary_ids = list(range(A, V)) if ordinary else list(range(V))
    for i in chosen:
        labels[i] = ids[i]
        stream = Stream(key, position, 2 + 2 * i)
        draw = stream.double()
        if draw < 0.8:
            masked[i] = MASK_ID
        elif draw < 0.8 + 0.1:
            masked[i] = ordinary_ids[stream.below(len(ordinary_ids))]
    return masked, labels


def show(name, numbers):
    print('static const int32_t %s[%d] = {%s};' % (name, len(numbers), ', '.join(map(str, numbers))))


SEED, EPOCH, COUNT, POSITION, LENGTH = 2**63 + 12345, 3, 300, 2**33 + 5, 200
IDS = [CLS] + [(CONTINUED_A if i % 5 in (1, 3, 4) else A) + i * 7 % 26
               for i in range(1, LENGTH - 1)] + [SEP]

print('/* Written by make_random_map.py. */')
print('enum { MAP_EPOCH = %d, MAP_COUNT = %d, MAP_LENGTH = %d };' % (EPOCH, COUNT, LENGTH))
print('static const uint64_t map_seed = UINT64_C(%d);' % SEED)
print('static const int64_t map_position = INT64_C(%d);' % POSITION)
show('map_order', order(SEED, EPOCH, COUNT))
show('map_ids', IDS)
print('static const struct {')
print('    int32_t strategy, selection, random_tokens;')
print('    double p;')
print('    int32_t ids[MAP_LENGTH], labels[MAP_LENGTH];')
print('} map_masks[] = {')
for whole_words, each, ordinary, p in [(0, 0, 0, 0.15), (0, 1, 0, 0.15), (1, 0, 0, 0.15),
                                       (1, 1, 0, 0.3), (0, 0, 1, 1.0)]:
    masked, labels = mask(IDS, SEED, POSITION, whole_words, each, p, ordinary)
    print('    {%d, %d, %d, %r, {%s}, {%s}},' % (whole_words, each, ordinary, p,
                                               ', '.join(map(str, masked)),
                                               ', '.join(map(str, labels))))
print('};')

# Sentences of one, a few and too many tokens; documents of one sentence.
PAIR_T, SHORT = 24, 0.4
LENGTHS = [[1 + (7 * s * s + 5 * d) % 9 + (40 if (s + d) % 13 == 5 else 0)
            for s in range(1 if d % 6 == 4 else 3 + 5 * d % 17)] for d in range(30)]
places = iter(range(10**6))
INSTANCES = pairs([[[next(places) for _ in range(n)] for n in document] for document in LENGTHS],
                  SEED, PAIR_T, SHORT)
used = {i for a, m, b, n, _ in INSTANCES for i in [*range(a, a + m), *range(b, b + n)]}
print('enum { MAP_T = %d, MAP_PAIRS = %d, MAP_UNUSED = %d };' %
      (PAIR_T, len(INSTANCES), next(places) - len(used)))
print('static const double map_short_seq_prob = %r;' % SHORT)
print('/* Lengths of sentences; 0: a document ends. */')
show('map_sentences', sum((document + [0] for document in LENGTHS), []))
print('static const struct {')
print('    int32_t a, a_length, b, b_length, sentence_label;')
print('} map_pairs[MAP_PAIRS] = {')
for instance in INSTANCES:
    print('    {%s},' % ', '.join(map(str, instance)))
print('};')
