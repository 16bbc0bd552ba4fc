#include "files/suites.h"
Suite *directory_suite(void)
{
    return suite_create("directory");
}
