#include "base/fpmode.h"

void mlm__fp_enter(fenv_t *saved)
{
    fegetenv(saved);
    fesetenv(FE_DFL_ENV);
}

void mlm__fp_leave(const fenv_t *saved)
{
    fesetenv(saved);
}
