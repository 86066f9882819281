/*
 * `farmd completion`: the scripts that shells want, which ask farmd itself what may come next (`farmd __complete`).
 */
#include "core/buffer.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/complete.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <string.h>

#define ANSWER_MS 500 /* a person waits for it with a finger on the key */

/* --- the scripts --- */

/* Readline takes : and = for ends of words, so only what is behind the last of them is to be inserted. */
static const char bash[] = "# bash completion of farmd: source <(farmd completion bash)\n"
                           "_farmd() {\n"
                           "    local line=${COMP_LINE:0:COMP_POINT} word i\n"
                           "    local current=${line##*[[:space:]]}\n"
                           "    local before=${current%\"${current##*[:=]}\"}\n"
                           "    COMPREPLY=()\n"
                           "    while IFS=$'\\t' read -r word _; do\n"
                           "        COMPREPLY+=(\"${word#\"$before\"}\")\n"
                           "    done < <(\"${COMP_WORDS[0]}\" __complete -- \"$line\" 2>/dev/null)\n"
                           "    for i in \"${COMPREPLY[@]}\"; do\n"
                           "        case $i in *[:=]) compopt -o nospace ;; esac\n"
                           "    done\n"
                           "}\n"
                           "complete -o default -F _farmd farmd\n";

static const char zsh[] = "#compdef farmd\n"
                          "# zsh completion of farmd: source <(farmd completion zsh), or into a file _farmd of $fpath\n"
                          "_farmd() {\n"
                          "    local line word\n"
                          "    local -a found shown\n"
                          "    while IFS=$'\\t' read -r word line; do\n"
                          "        found+=(\"$word\")\n"
                          "        shown+=(\"${(r:24:)word} $line\")\n"
                          "    done < <(\"${words[1]}\" __complete -- \"${(j: :)words[1,CURRENT]}\" 2>/dev/null)\n"
                          "    if (( $#found )); then\n"
                          "        compadd -l -d shown -- \"${found[@]}\"\n"
                          "    else\n"
                          "        _files\n"
                          "    fi\n"
                          "}\n"
                          "if [[ ${funcstack[1]} == _farmd ]]; then\n"
                          "    _farmd # of $fpath: this is the first time that it is asked\n"
                          "else\n"
                          "    compdef _farmd farmd\n"
                          "fi\n";

static const char fish[] = "# fish completion of farmd: farmd completion fish | source\n"
                           "complete -c farmd -f -a '(farmd __complete -- (commandline -cp) 2>/dev/null)'\n";

static int run(const struct cli_call *call)
{
    struct buffer out = BUFFER_EMPTY;
    const char *shell = call->operands[0];
    buffer_append_text(&out, strcmp(shell, "bash") == 0 ? bash : strcmp(shell, "zsh") == 0 ? zsh : fish);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .section = SECTION_MORE,
    .operands = {.usage = "SHELL",
                 .least = 1,
                 .most = 1,
                 .missing = "say for which shell: bash, zsh or fish",
                 .completes = COMPLETES_WORDS,
                 .words = "bash zsh fish"},
    .summary = "completion of commands, flags and servers for bash, zsh or fish",
    .details =
        "Prints a script for the shell to read. It asks farmd itself, so it knows every command and flag of the farmd "
        "that is installed, and the servers of the farm that runs.",
    .examples = (const struct cli_example[]){{"completion bash > /etc/bash_completion.d/farmd", "for everybody"},
                                             {"completion fish | source", "for this shell"},
                                             {NULL, NULL}},
    .run = run,
};

/* --- what the scripts ask --- */

static void each_server(complete_offer_fn *offer, void *to, void *data)
{
    struct client *client;
    struct client_answer answer;
    struct error err;
    const cJSON *server;
    if (client_open(data, &client, &err) != CLI_DONE)
        return;
    const struct client_question question = {.target = "/api/servers", .timeout_ms = ANSWER_MS};
    if (client_ask(client, &question, &answer, &err) == CLI_DONE) {
        cJSON_ArrayForEach(server, cJSON_GetObjectItemCaseSensitive(answer.json, "servers"))
            offer(view_text(server, "name"), view_text(server, "status"), to);
        client_answer_done(&answer);
    }
    client_close(client);
}

static int complete(const struct cli_call *call)
{
    struct buffer out = BUFFER_EMPTY;
    complete_line(call->operands[0], each_server, (void *)call, &out);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

const struct cli_verb verb_complete = {
    .name = "__complete",
    .section = SECTION_HIDDEN,
    .operands = {.usage = "LINE", .least = 1, .most = 1, .missing = "the line so far is missing"},
    .flag_sets = {client_flags},
    .summary = "what a command line may go on with",
    .details = "For the scripts of `farmd completion`: a line for each word, a tab, what it is.",
    .run = complete,
};
