/*
 * report: the metrics file of pretrain in, one HTML page on the training out.
 */
#include "report/page.h"

int main(int argc, char **argv)
{
    const struct program program = {"report", "METRICS.jsonl > report.html",
        "Draws what pretrain --metrics wrote as one HTML page: curves, sample predictions, data "
        "and\n"
        "configuration. pretrain itself leaves such a page in its --output.",
        NULL, 0, 1, 1};
    static struct curves curves;
    FILE *file;
    int readable;
    read_options(&program, argc, argv);
    if (!(file = fopen(argv[0], "r"))) {
        complain("%s: %s", argv[0], strerror(errno));
        return EXIT_FAILURE;
    }
    curves_init(&curves);
    readable = curves_read_file(&curves, file);
    if (readable)
        write_page(stdout, &curves);
    else
        complain("%s: %s", argv[0], strerror(errno));
    fclose(file);
    curves_free(&curves);
    return readable ? finish_output() : EXIT_FAILURE;
}
