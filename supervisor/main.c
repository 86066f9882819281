/*
 * farmd's entry: hands over to the command line, nothing else, so that everything below can be linked into tests.
 */
#include "supervisor/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
