/*
 * checkpoints.h - the checkpoints of a run: --output DIR is the newest, DIR-checkpoint-STEP
 * are the last ones of --keep, the newest among them (the same files by hard links), and
 * DIR-best is that of the lowest held-out loss.
 */
#ifndef CHECKPOINTS_H
#define CHECKPOINTS_H

#include "settings.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* In the order in which they are removed: without trainer.json a directory is no checkpoint, and
   while it has moments it is no model of another origin. */
static const char *const checkpoint_files[] = {"trainer.json", "config.json", "model.safetensors",
    "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "optimizer.safetensors"};

struct checkpoints {
    char newest[PATH_SIZE], best[PATH_SIZE]; /* DIR without final slashes, and DIR-best */
    int64_t keep, precision;
    int64_t *steps; /* [count] of the DIR-checkpoint-STEP that were listed, highest first */
    size_t count;
};

/* ---- names --------------------------------------------------------------------- */

/* Ends the program where the path is too long. */
static inline void join_names(char path[PATH_SIZE], const char *first, const char *second)
{
    if (snprintf(path, PATH_SIZE, "%s%s", first, second) < PATH_SIZE)
        return;
    complain("--output: a path of more than %d bytes", PATH_SIZE);
    exit(EXIT_FAILURE);
}

static inline void kept_path(
    const struct checkpoints *checkpoints, int64_t step, char path[PATH_SIZE])
{
    char suffix[64];
    snprintf(suffix, sizeof suffix, "-checkpoint-%" PRId64, step);
    join_names(path, checkpoints->newest, suffix);
}

static inline void checkpoints_init(
    struct checkpoints *checkpoints, const struct settings *settings)
{
    size_t length;
    memset(checkpoints, 0, sizeof *checkpoints);
    checkpoints->keep = settings->keep;
    checkpoints->precision = settings->precision ? MLM_BF16 : MLM_F32;
    join_names(checkpoints->newest, settings->output, "");
    length = strlen(checkpoints->newest);
    while (length > 1 && checkpoints->newest[length - 1] == '/')
        checkpoints->newest[--length] = '\0';
    join_names(checkpoints->best, checkpoints->newest, "-best");
}

static inline int has_file(const char *directory, const char *file)
{
    char path[PATH_SIZE];
    join_names(path, directory, file);
    return access(path, F_OK) == 0;
}

/* Whether the directory has trainer.json; also in the form that a save leaves which is cut off
   between the two renames of a simple file system. */
static inline int is_checkpoint(const char *directory)
{
    return has_file(directory, "/trainer.json") || has_file(directory, ".mlm-old/trainer.json");
}

static inline int is_empty(const char *directory)
{
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    int empty = folder != NULL;
    while (empty && (entry = readdir(folder)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (folder)
        closedir(folder);
    return empty;
}

/* What is left of one whose removal was cut off: moments, or not even they. */
static inline int is_remnant(const char *directory)
{
    return !is_checkpoint(directory) &&
           (has_file(directory, "/optimizer.safetensors") || is_empty(directory));
}

/* A model that is of no run. */
static inline int is_foreign(const char *directory)
{
    return !is_checkpoint(directory) && !is_remnant(directory) &&
           has_file(directory, "/model.safetensors");
}

/* ---- those that are kept --------------------------------------------------------- */

static inline int compare_steps(const void *a, const void *b)
{
    const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first < second) - (first > second);
}

/* The STEP of "NAME-checkpoint-STEP", or -1. */
static inline int64_t step_of(const char *entry, const char *name)
{
    static const char infix[] = "-checkpoint-";
    const size_t length = strlen(name);
    char *end;
    int64_t step;
    if (strncmp(entry, name, length) != 0 || strncmp(entry + length, infix, sizeof infix - 1) != 0)
        return -1;
    entry += length + sizeof infix - 1;
    if (!(*entry >= '0' && *entry <= '9'))
        return -1;
    errno = 0;
    step = strtoll(entry, &end, 10);
    return *end || errno ? -1 : step;
}

/* Those DIR-checkpoint-STEP that are so. */
static inline void list_kept(struct checkpoints *checkpoints, int (*is_so)(const char *directory))
{
    char parent[PATH_SIZE], path[PATH_SIZE];
    const char *slash = strrchr(checkpoints->newest, '/'),
               *name = slash ? slash + 1 : checkpoints->newest;
    const struct dirent *entry;
    DIR *folder;
    join_names(parent, checkpoints->newest, "");
    parent[slash ? slash - checkpoints->newest + 1 : 0] = '\0';
    checkpoints->count = 0;
    if (!(folder = opendir(slash ? parent : ".")))
        return; /* saving will say why */
    while ((entry = readdir(folder))) {
        const int64_t step = step_of(entry->d_name, name);
        int64_t *more;
        if (step < 0)
            continue;
        kept_path(checkpoints, step, path);
        if (!is_so(path))
            continue;
        more = realloc(checkpoints->steps, (checkpoints->count + 1) * sizeof *more);
        if (!more)
            break;
        checkpoints->steps = more;
        checkpoints->steps[checkpoints->count++] = step;
    }
    closedir(folder);
    if (checkpoints->count > 0)
        qsort(checkpoints->steps, checkpoints->count, sizeof *checkpoints->steps, compare_steps);
}

/* What else is in the directory stays, and the directory with it. */
static inline void remove_checkpoint(const char *directory)
{
    const int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t i;
    if (folder < 0)
        return;
    for (i = 0; i < COUNT(checkpoint_files); ++i)
        if (unlinkat(folder, checkpoint_files[i], 0) != 0 && errno != ENOENT) {
            complain("warning: %s/%s: cannot remove: %s", directory, checkpoint_files[i],
                strerror(errno));
            break;
        }
    close(folder);
    rmdir(directory);
}

/* 0, or -1 with errno, as the calls of the system. */
static inline int link_files(int from, int to)
{
    size_t i;
    if (from < 0 || to < 0)
        return -1;
    for (i = 0; i < COUNT(checkpoint_files); ++i)
        if (linkat(from, checkpoint_files[i], to, checkpoint_files[i], 0) != 0 && errno != ENOENT)
            return -1;
    return fsync(to);
}

static inline int link_checkpoint(const char *from, const char *to)
{
    int status, folders[2];
    if (mkdir(to, 0777) != 0)
        return -1;
    folders[0] = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folders[1] = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    status = link_files(folders[0], folders[1]);
    close(folders[0]);
    close(folders[1]);
    return status;
}

/* The newest as DIR-checkpoint-STEP too. Its files are never written to again, so hard links do;
   where the file system has none it is saved once more. */
static inline void keep_newest(
    const struct checkpoints *checkpoints, mlm_trainer *trainer, int64_t step)
{
    char kept[PATH_SIZE], working[PATH_SIZE];
    kept_path(checkpoints, step, kept);
    if (is_foreign(kept)) {
        complain("warning: --keep: %s is no checkpoint of a run, and stays", kept);
        return;
    }
    join_names(working, checkpoints->newest, "-checkpoint.mlm-new");
    remove_checkpoint(working);
    if (link_checkpoint(checkpoints->newest, working) == 0) {
        remove_checkpoint(kept);
        if (rename(working, kept) == 0)
            return;
    }
    remove_checkpoint(working);
    if (mlm_trainer_save(trainer, kept) != MLM_OK)
        complain("warning: --keep: %s", mlm_last_error());
}

static inline void remove_all(struct checkpoints *checkpoints, int (*is_so)(const char *directory))
{
    char path[PATH_SIZE];
    size_t i;
    list_kept(checkpoints, is_so);
    for (i = 0; i < checkpoints->count; ++i) {
        kept_path(checkpoints, checkpoints->steps[i], path);
        remove_checkpoint(path);
    }
}

/* All but the last so many of those up to a step. Of a step that is still to come there may be one
   that is damaged; it is not counted, and replaced when it comes. */
static inline void remove_kept(struct checkpoints *checkpoints, int64_t but, int64_t step)
{
    size_t i;
    list_kept(checkpoints, is_checkpoint);
    for (i = 0; i < checkpoints->count; ++i)
        if (checkpoints->steps[i] <= step && --but < 0) {
            char path[PATH_SIZE];
            kept_path(checkpoints, checkpoints->steps[i], path);
            remove_checkpoint(path);
        }
}

/* What going back had made of the rates when a checkpoint was saved; 0: it cannot be read. */
static inline double rate_factor_of(const char *directory)
{
    char path[PATH_SIZE];
    json_t *root;
    double factor;
    join_names(path, directory, "/trainer.json");
    root = json_load_file(path, 0, NULL);
    factor = json_number_value(json_object_get(json_object_get(root, "state"), "rate_factor"));
    json_decref(root);
    return factor;
}

/* Those that the run has gone back from: later, and at a higher rate. Where it cannot be saved then,
   the newest is one of them: a run that goes on from it keeps it again, and goes back again. */
static inline void remove_abandoned(struct checkpoints *checkpoints, const mlm_metrics *state)
{
    char path[PATH_SIZE];
    size_t i;
    list_kept(checkpoints, is_checkpoint);
    for (i = 0; i < checkpoints->count && checkpoints->steps[i] > state->step; ++i) {
        kept_path(checkpoints, checkpoints->steps[i], path);
        if (rate_factor_of(path) > state->rate_factor)
            remove_checkpoint(path);
    }
}

/* After a save of the newest. */
static inline void checkpoints_keep(
    struct checkpoints *checkpoints, mlm_trainer *trainer, const mlm_metrics *state)
{
    remove_abandoned(checkpoints, state);
    remove_all(checkpoints, is_remnant);
    if (checkpoints->keep < 2)
        return;
    keep_newest(checkpoints, trainer, state->step);
    remove_kept(checkpoints, checkpoints->keep, state->step);
}

/* Says now, not after hours, that the disk has no room for so many checkpoints more. */
static inline void warn_of_space(const struct checkpoints *checkpoints, int64_t more)
{
    const int folder = open(checkpoints->newest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statvfs disk;
    struct stat file;
    double size = 0, room;
    size_t i;
    if (folder < 0)
        return;
    for (i = 0; i < COUNT(checkpoint_files); ++i)
        if (fstatat(folder, checkpoint_files[i], &file, 0) == 0)
            size += (double)file.st_size;
    if (fstatvfs(folder, &disk) == 0) {
        room = (double)disk.f_bavail * (double)disk.f_frsize;
        if (room < size * (double)more)
            complain("warning: %s: saving takes up to %.1f MB more, and the disk has room for %.1f",
                checkpoints->newest, 1e-6 * size * (double)more, 1e-6 * room);
    }
    close(folder);
}

/* One that was followed by another save, so that the losses after it are known to be good; the
   newest where there is none. */
static inline void find_earlier_checkpoint(
    struct checkpoints *checkpoints, int64_t step, char path[PATH_SIZE])
{
    size_t i;
    list_kept(checkpoints, is_checkpoint);
    for (i = 0; i < checkpoints->count; ++i)
        if (checkpoints->steps[i] < step) {
            kept_path(checkpoints, checkpoints->steps[i], path);
            return;
        }
    join_names(path, checkpoints->newest, "");
}

/* ---- which to go on from --------------------------------------------------------- */

/* Reads all of a checkpoint and lets it go. The encoder is not loaded from it: resuming looks at the
   hashes first, and so names the file that is damaged. */
static inline mlm_status try_checkpoint(
    mlm_runtime *runtime, const char *directory, int64_t precision)
{
    mlm_encoder_options options;
    mlm_encoder_config config;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    mlm_status status;
    mlm_encoder_options_init(&options, sizeof options);
    options.precision = (int32_t)precision;
    mlm_encoder_config_init(&config, sizeof config);
    status = mlm_encoder_config_load(runtime, directory, &config);
    if (status == MLM_OK)
        status = mlm_encoder_create(runtime, &config, &options, &encoder);
    if (status != MLM_OK)
        return status;
    status = mlm_trainer_resume(runtime, encoder, directory, NULL, &trainer);
    if (status == MLM_OK)
        mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    return status;
}

/* The newest, or where older ones are kept the newest that is intact. MLM_ERR_NOT_FOUND: there is
   none at all. */
static inline mlm_status find_checkpoint(
    struct checkpoints *checkpoints, mlm_runtime *runtime, char path[PATH_SIZE])
{
    mlm_status status;
    size_t i;
    list_kept(checkpoints, is_checkpoint);
    join_names(path, checkpoints->newest, "");
    if (checkpoints->count == 0)
        return is_checkpoint(path) ? MLM_OK : MLM_ERR_NOT_FOUND;
    for (i = 0;; ++i) {
        status = try_checkpoint(runtime, path, checkpoints->precision);
        if (status == MLM_OK || status == MLM_STOPPED || i == checkpoints->count)
            return status == MLM_ERR_NOT_FOUND ? MLM_ERR_IO : status;
        complain("warning: %s", mlm_last_error());
        kept_path(checkpoints, checkpoints->steps[i], path);
        complain("warning: going on with %s", path);
    }
}

static inline void refuse_foreign(const char *directory)
{
    complain("%s/model.safetensors is no checkpoint of a run, and would be replaced: name another "
             "--output",
        directory);
    exit(EXIT_FAILURE);
}

/* Before a run begins. Whether one that is there is given up is for the user to say. */
static inline void expect_replacement(
    struct checkpoints *checkpoints, const struct settings *settings)
{
    char path[PATH_SIZE];
    int found = is_checkpoint(checkpoints->newest);
    join_names(path, checkpoints->newest, "");
    list_kept(checkpoints, is_checkpoint);
    if (!found && checkpoints->count > 0) {
        found = 1;
        kept_path(checkpoints, checkpoints->steps[0], path);
    }
    if (found && !settings->overwrite) {
        complain("%s is of a run: --resume goes on with it, --overwrite begins a new one that "
                 "replaces it",
            path);
        exit(EXIT_FAILURE);
    }
    if (settings->eval && is_checkpoint(checkpoints->best) && !settings->overwrite) {
        complain(
            "%s is of a run that is not in %s: --overwrite%s begins a new one that replaces it",
            checkpoints->best, settings->output, settings->resume ? " in place of --resume" : "");
        exit(EXIT_FAILURE);
    }
    /* The newest is never removed: it is no remnant either. */
    if (!is_checkpoint(checkpoints->newest) && has_file(checkpoints->newest, "/model.safetensors"))
        refuse_foreign(checkpoints->newest);
    if (settings->eval && is_foreign(checkpoints->best))
        refuse_foreign(checkpoints->best);
    if (settings->keep < 2)
        return;
    list_kept(checkpoints, is_foreign);
    if (checkpoints->count > 0) {
        kept_path(checkpoints, checkpoints->steps[0], path);
        refuse_foreign(path);
    }
}

#endif /* CHECKPOINTS_H */
