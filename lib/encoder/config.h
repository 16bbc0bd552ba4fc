/* The shape of a model: reading it from a caller, checking it, and config.json. */
#ifndef MLM_ENCODER_CONFIG_H
#define MLM_ENCODER_CONFIG_H

#include "mlm/mlm.h"

typedef struct mlm__directory mlm__directory;

/* Reads a caller's config (NULL: the defaults) of any struct_size and checks it. */
mlm_status mlm__encoder_config_read(const mlm_encoder_config *given, mlm_encoder_config *config);

/* The same without the check of the members' values. */
mlm_status mlm__encoder_config_copy(const mlm_encoder_config *given, mlm_encoder_config *config);

/* Whether a model of this config can be: each member within its limits, and all of them together
   within what memory can address. where and status are of the message that names the member. */
mlm_status mlm__encoder_config_check(
    const mlm_encoder_config *config, const char *where, mlm_status status);

/* MLM_ERR_MISMATCH, naming the first member, when two configs are not the same model. */
mlm_status mlm__encoder_config_compare(
    const mlm_encoder_config *ours, const mlm_encoder_config *theirs, const char *where);

/* The file path, as transformers writes config.json for a BertForMaskedLM, BertForPreTraining or
   BertModel, over *config: what is absent stays. The result is checked. What would change numbers
   and is not supported is MLM_ERR_UNSUPPORTED. After an error *config is as before. */
mlm_status mlm__encoder_config_load(
    mlm_runtime *runtime, const char *path, mlm_encoder_config *config);

/* config.json into an open directory; dtype (MLM_F32 or MLM_BF16) is the tensors'. */
mlm_status mlm__encoder_config_write(
    const mlm_encoder_config *config, mlm__directory *directory, int32_t dtype);

#endif
