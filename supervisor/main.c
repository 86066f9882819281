/*
 * farmd's entry: hands over to the command line, and little else, so that everything below can be linked into tests.
 */
#include "core/streams.h"
#include "supervisor/cli/cli.h"

int main(int argc, char **argv)
{
    streams_hold();
    return cli_main(argc, argv);
}
