/* Whole training steps (forward, backward, clipping, AdamW; dropout 0.1) against the machine's
   matrix-product peak; docs/performance.md says how to read it:
     train [--configs tiny,mini,...] [--precision f32,bf16] [--threads 1,2] [--shapes 32x128,...]
           [--seconds S] [--text FILE] [--cpu CPU] [--cpu-time] [--no-peak] [--no-phases] [--lengths]
   A shape is BxT, or "natural": lines of FILE, or made-up lengths like those of real text. Each
   case is a process of its own and gets S seconds of steps, at least two, after one that does not
   count. --cpu-time divides by CPU seconds a thread, for a machine that others use; it is exact on
   one thread, where nobody waits. --cpu baseline, avx2 or avx512: kernels are those of a CPU without
   the instructions beyond. --lengths prints the lengths of the natural batches, a batch a line, and
   does nothing else. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/runtime.h"
#include "base/runtime_state.h"
#include "encoder/chunks.h"
#include "kernels/kernels.h"
#include "clock.h"
#include "peak.h"
#include "phases.h"
#include "workload.h"

/* Turc et al. 2019; base is Devlin et al. 2019. */
static const struct model {
    const char *name;
    int32_t H, L;
} models[] = {
    {"tiny", 128, 2}, {"mini", 256, 4}, {"small", 512, 4}, {"medium", 512, 8}, {"base", 768, 12}};
enum { MODEL_COUNT = sizeof models / sizeof models[0] };

enum { SHAPES_MOST = 16, THREADS_MOST = 16, PEAK_ROUNDS = 3 };

typedef struct shape {
    int32_t B, T; /* 0: natural lengths */
} shape;

typedef struct selection {
    bool configs[MODEL_COUNT];
    int32_t precisions[2], precision_count;
    int32_t threads[THREADS_MOST], thread_count;
    shape shapes[SHAPES_MOST];
    int32_t shape_count;
    double seconds;
    const char *text;
    bool cpu_time, peak, phases, lengths;
} selection;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "train: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    exit(1);
}

static void must(mlm_status status)
{
    if (status != MLM_OK)
        stop(mlm_last_error(), NULL);
}

/* ---- processes -------------------------------------------------------------- */

/* Answers requests until there are none. Processes work in turn: their parent waits for each
   answer. */
typedef struct server {
    pid_t pid;
    int requests, answers;
} server;

static bool receive(int from, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t part = read(from, (char *)data + done, size - done);
        if (part <= 0)
            return false;
        done += (size_t)part;
    }
    return true;
}

static void send(int to, const void *data, size_t size)
{
    if (write(to, data, size) != (ssize_t)size)
        stop("a pipe", strerror(errno));
}

typedef void serve_fn(const void *arguments, int requests, int answers);

static server server_start(serve_fn *serve, const void *arguments)
{
    int requests[2], answers[2];
    fflush(stdout);
    if (pipe(requests) != 0 || pipe(answers) != 0)
        stop("a pipe", strerror(errno));
    server s = {fork(), requests[1], answers[0]};
    if (s.pid < 0)
        stop("a process", strerror(errno));
    if (s.pid == 0) {
        close(requests[1]);
        close(answers[0]);
        serve(arguments, requests[0], answers[1]);
        _exit(0);
    }
    close(requests[0]);
    close(answers[1]);
    return s;
}

static void server_ask(
    server s, const void *request, size_t request_size, void *answer, size_t answer_size)
{
    send(s.requests, request, request_size);
    if (!receive(s.answers, answer, answer_size))
        stop("a process ended early", NULL);
}

/* Returns the most memory it ever had in RAM, in bytes. */
static double server_end(server s)
{
    struct rusage usage;
    int status;
    close(s.requests);
    close(s.answers);
    if (wait4(s.pid, &status, 0, &usage) != s.pid)
        stop("a process", strerror(errno));
    return 1024.0 * (double)usage.ru_maxrss;
}

static mlm_runtime *runtime_of(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    must(mlm_runtime_create(&options, &runtime));
    return runtime;
}

/* ---- the peak ----------------------------------------------------------------- */

typedef struct peak_arguments {
    int32_t precision, threads;
    bool cpu_time;
} peak_arguments;

static void serve_peak(const void *arguments, int requests, int answers)
{
    const peak_arguments *a = arguments;
    char request;
    peak *p = peak_create(runtime_of(a->threads), a->precision);
    while (receive(requests, &request, 1)) {
        double rates[PEAK_COUNT];
        for (size_t i = 0; i < PEAK_COUNT; i++)
            rates[i] = peak_measure(p, i, a->cpu_time);
        send(answers, rates, sizeof rates);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* FLOPs a second of each product, and which is the fastest. */
static size_t take_medians(double rounds[PEAK_COUNT][PEAK_ROUNDS], double medians[PEAK_COUNT])
{
    size_t fastest = 0;
    for (size_t i = 0; i < PEAK_COUNT; i++) {
        qsort(rounds[i], PEAK_ROUNDS, sizeof rounds[i][0], ascending);
        medians[i] = rounds[i][PEAK_ROUNDS / 2];
        fastest = medians[i] > medians[fastest] ? i : fastest;
    }
    return fastest;
}

static void measure_peak(server s, double rounds[PEAK_COUNT][PEAK_ROUNDS], int32_t round)
{
    double rates[PEAK_COUNT];
    server_ask(s, "", 1, rates, sizeof rates);
    for (size_t i = 0; i < PEAK_COUNT; i++)
        rounds[i][round] = rates[i];
}

/* ---- the steps ----------------------------------------------------------------- */

typedef struct step_arguments {
    const struct model *model;
    int32_t precision, threads;
    bool cpu_time;
    workload load;
} step_arguments;

typedef struct step_sums {
    mlm_status status; /* of making the model */
    double tokens, flops, seconds, phases[PHASE_COUNT];
} step_sums;

typedef struct training {
    mlm_encoder_config config;
    mlm_trainer *trainer;
    bench_clock clock;
    workload load;
    size_t step;
    int64_t position;
} training;

static mlm_status training_create(const step_arguments *a, training *t)
{
    mlm_runtime *runtime = runtime_of(a->threads);
    *t = (training){.load = a->load, .clock = {a->cpu_time, a->threads}};
    mlm_encoder_config_init(&t->config, sizeof t->config);
    t->config.vocab_size = VOCAB_SIZE;
    t->config.hidden_size = a->model->H;
    t->config.num_hidden_layers = a->model->L;
    t->config.num_attention_heads = a->model->H / 64;
    t->config.intermediate_size = 4 * a->model->H;
    mlm_encoder_options options;
    mlm_encoder_options_init(&options, sizeof options);
    options.precision = a->precision;
    mlm_encoder *encoder;
    const mlm_status status = mlm_encoder_create(runtime, &t->config, &options, &encoder);
    if (status != MLM_OK)
        return status;
    mlm_trainer_options trainer_options;
    mlm_trainer_options_init(&trainer_options, sizeof trainer_options);
    trainer_options.lr_scheduler = MLM_LR_CONSTANT;
    must(mlm_trainer_create(runtime, encoder, &trainer_options, &t->trainer));
    /* Room for every batch before the first step: to make it would be timed. */
    for (size_t i = 0; i < t->load.count; i++)
        must(mlm__chunks_reserve(encoder, &t->load.batches[i], true));
    return MLM_OK;
}

static void training_step(training *t, step_sums *sums)
{
    mlm_batch batch = t->load.batches[t->step++ % t->load.count];
    batch.position = t->position;
    t->position += batch.B;
    const double start = bench_seconds(t->clock);
    must(mlm_trainer_accumulate(t->trainer, &batch));
    must(mlm_trainer_update(t->trainer, NULL));
    sums->seconds += bench_seconds(t->clock) - start;
    sums->tokens += batch.offsets[batch.B];
    sums->flops += step_flops(&t->config, &batch);
}

/* A request is for how many seconds to train; one step at least. */
static void serve_steps(const void *arguments, int requests, int answers)
{
    training t;
    step_sums sums = {.status = training_create(arguments, &t)};
    for (double seconds; receive(requests, &seconds, sizeof seconds);
         send(answers, &sums, sizeof sums)) {
        if (sums.status != MLM_OK)
            continue;
        sums.tokens = sums.flops = sums.seconds = 0;
        phases_reset();
        do
            training_step(&t, &sums);
        while (sums.seconds < seconds);
        phases_stop();
        memcpy(sums.phases, phase_seconds, sizeof sums.phases);
    }
}

static step_sums train_for(server s, double seconds)
{
    step_sums sums;
    server_ask(s, &seconds, sizeof seconds, &sums, sizeof sums);
    return sums;
}

static void add(step_sums *sums, const step_sums *more)
{
    sums->tokens += more->tokens;
    sums->flops += more->flops;
    sums->seconds += more->seconds;
    for (size_t i = 0; i < PHASE_COUNT; i++)
        sums->phases[i] += more->phases[i];
}

/* ---- the table ------------------------------------------------------------------ */

static void print_phases(const step_sums *sums)
{
    double total = 0;
    for (size_t i = 0; i < PHASE_COUNT; i++)
        total += sums->phases[i];
    printf("   ");
    for (size_t i = 1; i <= PHASE_COUNT; i++)
        printf(" %s %.1f%%%s", phase_names[i % PHASE_COUNT],
            100 * sums->phases[i % PHASE_COUNT] / total, i < PHASE_COUNT ? "," : "\n");
}

static void print_name(const step_arguments *a, shape at)
{
    char name[32] = "natural";
    if (at.B)
        snprintf(name, sizeof name, "%dx%d", (int)at.B, (int)at.T);
    printf("%-6s %-4s %3d  %-8s", a->model->name, a->precision == MLM_F32 ? "f32" : "bf16",
        (int)a->threads, name);
}

static void print_case(const selection *chosen, const step_arguments *a, shape at, server products)
{
    double rounds[PEAK_COUNT][PEAK_ROUNDS];
    const server steps = server_start(serve_steps, a);
    print_name(a, at);
    fflush(stdout);
    step_sums sums = train_for(steps, 0); /* the first step does not count: it touches new memory */
    if (sums.status != MLM_OK) {
        printf(" %s\n", sums.status == MLM_ERR_UNSUPPORTED ? "not in this build"
                                                           : mlm_status_name(sums.status));
        server_end(steps);
        return;
    }
    memset(&sums, 0, sizeof sums);
    for (int32_t round = 0; round < PEAK_ROUNDS; round++) {
        if (chosen->peak)
            measure_peak(products, rounds, round);
        if (round == PEAK_ROUNDS - 1)
            break;
        const step_sums more = train_for(steps, chosen->seconds / (PEAK_ROUNDS - 1));
        add(&sums, &more);
    }
    const double memory = server_end(steps), rate = sums.flops / sums.seconds;
    printf(" %8.0f  %7.1f", sums.tokens / sums.seconds, 1e-9 * rate);
    if (chosen->peak) {
        double medians[PEAK_COUNT];
        const size_t fastest = take_medians(rounds, medians);
        printf("  %7.1f %-7s  %.3f  %6.0f\n    products:", 1e-9 * medians[fastest],
            peak_names[fastest], rate / medians[fastest], 1e-6 * memory);
        for (size_t i = 0; i < PEAK_COUNT; i++)
            printf(" %s %.1f%s", peak_names[i], 1e-9 * medians[i], i + 1 < PEAK_COUNT ? "," : "\n");
    } else {
        printf("  %7s %-7s  %5s  %6.0f\n", "-", "-", "-", 1e-6 * memory);
    }
    if (chosen->phases)
        print_phases(&sums);
}

static workload load_of(const selection *chosen, shape at)
{
    workload load;
    if (at.B)
        return workload_full(at.B, at.T);
    if (!chosen->text)
        return workload_natural();
    must(workload_text(chosen->text, &load));
    if (load.count == 0)
        stop(chosen->text, "too short for a batch");
    return load;
}

static void print_table(const selection *chosen)
{
    workload loads[SHAPES_MOST];
    for (int32_t s = 0; s < chosen->shape_count; s++)
        loads[s] = load_of(chosen, chosen->shapes[s]);
    printf("%s\n%-6s %-4s %3s  %-8s %8s  %7s  %7s %-7s  %5s  %6s\n", mlm_build_info(), "model", "",
        "thr", "shape", "tokens/s", "GFLOP/s", "peak", "of", "ratio", "MB");
    for (int32_t p = 0; p < chosen->precision_count; p++)
        for (int32_t n = 0; n < chosen->thread_count; n++) {
            const peak_arguments peak_of = {
                chosen->precisions[p], chosen->threads[n], chosen->cpu_time};
            server products = {0};
            if (chosen->peak)
                products = server_start(serve_peak, &peak_of);
            for (size_t m = 0; m < MODEL_COUNT; m++)
                for (int32_t s = 0; chosen->configs[m] && s < chosen->shape_count; s++) {
                    const step_arguments a = {
                        &models[m], peak_of.precision, peak_of.threads, chosen->cpu_time, loads[s]};
                    print_case(chosen, &a, chosen->shapes[s], products);
                }
            if (chosen->peak)
                server_end(products);
        }
    for (int32_t s = 0; s < chosen->shape_count; s++)
        workload_free(&loads[s]);
}

static void print_lengths(const selection *chosen)
{
    workload load = load_of(chosen, (shape){0});
    for (size_t i = 0; i < load.count; i++)
        for (int32_t b = 0; b < load.batches[i].B; b++)
            printf("%d%c", (int)(load.batches[i].offsets[b + 1] - load.batches[i].offsets[b]),
                b + 1 < load.batches[i].B ? ' ' : '\n');
    workload_free(&load);
}

/* ---- options ---------------------------------------------------------------------- */

static bool take_config(selection *chosen, const char *name)
{
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (strcmp(models[i].name, name) == 0)
            return chosen->configs[i] = true;
    return false;
}

static bool take_precision(selection *chosen, const char *name)
{
    const bool bf16 = strcmp(name, "bf16") == 0;
    if ((!bf16 && strcmp(name, "f32") != 0) || chosen->precision_count == 2)
        return false;
    chosen->precisions[chosen->precision_count++] = bf16 ? MLM_BF16 : MLM_F32;
    return true;
}

static bool take_threads(selection *chosen, const char *name)
{
    const int32_t threads = atoi(name);
    if (threads < 1 || chosen->thread_count == THREADS_MOST)
        return false;
    chosen->threads[chosen->thread_count++] = threads;
    return true;
}

static bool take_shape(selection *chosen, const char *name)
{
    int B = 0, T = 0;
    if (chosen->shape_count == SHAPES_MOST ||
        (strcmp(name, "natural") != 0 &&
            (sscanf(name, "%dx%d", &B, &T) != 2 || B < 1 || T < 1 || T > MAX_LENGTH)))
        return false;
    chosen->shapes[chosen->shape_count++] = (shape){B, T};
    return true;
}

static void take_cpu(const char *name)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            mlm__kernels_most = i;
            return;
        }
    stop("what is", name);
}

static void each(selection *chosen, const char *list, bool (*take)(selection *, const char *))
{
    char names[256];
    snprintf(names, sizeof names, "%s", list);
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ","))
        if (!take(chosen, name))
            stop("what is", name);
}

static selection selection_of(int argc, char **argv)
{
    static const struct option options[] = {{"configs", required_argument, NULL, 'c'},
        {"precision", required_argument, NULL, 'p'}, {"threads", required_argument, NULL, 't'},
        {"shapes", required_argument, NULL, 's'}, {"seconds", required_argument, NULL, 'd'},
        {"text", required_argument, NULL, 'f'}, {"cpu", required_argument, NULL, 'm'},
        {"cpu-time", no_argument, NULL, 'u'}, {"no-peak", no_argument, NULL, 'n'},
        {"no-phases", no_argument, NULL, 'h'}, {"lengths", no_argument, NULL, 'l'}, {0}};
    selection chosen = {.seconds = 2, .peak = true, .phases = true};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            each(&chosen, optarg, take_config);
            break;
        case 'p':
            each(&chosen, optarg, take_precision);
            break;
        case 't':
            each(&chosen, optarg, take_threads);
            break;
        case 's':
            each(&chosen, optarg, take_shape);
            break;
        case 'd':
            chosen.seconds = atof(optarg);
            break;
        case 'f':
            chosen.text = optarg;
            break;
        case 'm':
            take_cpu(optarg);
            break;
        case 'u':
            chosen.cpu_time = true;
            break;
        case 'n':
            chosen.peak = false;
            break;
        case 'h':
            chosen.phases = false;
            break;
        case 'l':
            chosen.lengths = true;
            break;
        default:
            stop("the options stand at the top of tests/bench/train.c", NULL);
        }
    }
    if (optind < argc)
        stop("what is", argv[optind]);
    bool any = false;
    for (size_t i = 0; i < MODEL_COUNT; i++)
        any = any || chosen.configs[i];
    if (!any)
        each(&chosen, "tiny,mini,small,medium,base", take_config);
    if (!chosen.precision_count)
        each(&chosen, "f32,bf16", take_precision);
    if (!chosen.shape_count)
        each(&chosen, "32x128,8x512,natural", take_shape);
    if (!chosen.thread_count) {
        chosen.threads[chosen.thread_count++] = 1;
        if (mlm__core_count() > 1)
            chosen.threads[chosen.thread_count++] = mlm__core_count();
    }
    return chosen;
}

int main(int argc, char **argv)
{
    const selection chosen = selection_of(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (chosen.lengths)
        print_lengths(&chosen);
    else
        print_table(&chosen);
    return 0;
}
