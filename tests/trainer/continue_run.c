/* continue_run CHECKPOINT UPDATES DIRECTORY: a resumed run in a process of its own, for
   test_checkpoint.c. Nothing is asserted: Check knows only the processes that it made. */
#include <stdlib.h>

#include "support/cpu.h"
#include "training.h"

int main(int argc, char **argv)
{
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    if (argc != 4 || !test_take_cpu())
        return EXIT_FAILURE;
    if (mlm_encoder_load(NULL, argv[1], NULL, &encoder) != MLM_OK)
        return EXIT_FAILURE;
    if (mlm_trainer_resume(NULL, encoder, argv[1], NULL, &trainer) != MLM_OK)
        return EXIT_FAILURE;
    mlm_metrics metrics;
    mlm_status status = MLM_OK;
    for (int32_t i = 0; i < atoi(argv[2]) && status == MLM_OK; i++)
        status = training_try_update(trainer, &metrics);
    if (status == MLM_OK)
        status = mlm_trainer_save(trainer, argv[3]);
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    return status == MLM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
