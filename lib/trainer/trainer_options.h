/* What a trainer's options may be. */
#ifndef MLM_TRAINER_TRAINER_OPTIONS_H
#define MLM_TRAINER_TRAINER_OPTIONS_H

#include "mlm/mlm.h"

/* A caller's options, of any struct_size or NULL, whole and checked. */
mlm_status mlm__trainer_options_read(const mlm_trainer_options *given, mlm_trainer_options *out);

/* MLM_ERR_ARGUMENT, naming option and value. */
mlm_status mlm__trainer_options_check(const mlm_trainer_options *options);

#endif
