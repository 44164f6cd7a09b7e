// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include <cstdio>
#include <exception>

#include "apps/namid/certify_command.h"
#include "apps/namid/command.h"
#include "apps/namid/curve_command.h"
#include "apps/namid/flags.h"
#include "apps/namid/gate_command.h"
#include "apps/namid/masking_command.h"
#include "namid/core/log.h"
#include "namid/core/version.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

/// Large tensors come and go in every step. Kept in the heap instead of being mapped afresh, their
/// pages are not faulted in again each time.
void keep_freed_memory() {
#ifdef M_MMAP_MAX
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 26);
#endif
}

/// The words behind the command, if it is this one.
std::vector<std::string> arguments_of(const std::string& command, int argc, char** argv) {
  if (argc < 2 || argv[1] != command) return {};
  return {argv + 2, argv + argc};
}

int run_program(int argc, char** argv) {
  CLI::App app{"Adversarial training, and how robust a classifier really is.", "namid"};
  app.require_subcommand(1);
  app.set_version_flag("--version", str("namid ", version(), " (", commit(), ")"));
  app.footer(
      "Exit codes: 0 done, 1 internal error, 2 usage, 3 unreadable input, 4 memory or disk,\n"
      "5 NaN or divergence, 6 claim not met, 130/143 interrupted after saving.");
  app.allow_extras();
  add_demo(app);
  add_train(app);
  add_estimate(app);
  add_evaluate(app);
  add_transfer(app);
  add_curve(app);
  add_certify(app);
  add_attack(app, arguments_of("attack", argc, argv));
  add_masking(app);
  add_mi(app, arguments_of("mi", argc, argv));
  add_verify(app);
  add_compare(app);
  add_gate(app);
  add_ledger(app);
  add_report(app);
  add_reproduce(app);
  add_resume(app);
  add_list(app);
  add_inspect(app);
  add_convert(app);
  add_doctor(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::vector<std::string> commands;
    for (const auto* command : app.get_subcommands({})) commands.push_back(command->get_name());
    const std::string word = argc > 1 ? argv[1] : "";
    const auto guess = nearest(word, commands);
    const bool misspelt = !word.empty() && word[0] != '-' && app.get_subcommands().empty();
    throw OptionError(
        misspelt ? str("unknown command '", word, "'",
                       guess.empty() ? " (see namid --help)" : str("; did you mean '", guess, "'?"))
                 : str(error.what(), " (see namid --help)"));
  }
  return 0;
}

}  // namespace
}  // namespace namid::app

int main(int argc, char** argv) {
  using namespace namid;
  try {
    app::keep_freed_memory();
    run::handle_signals();
    return app::run_program(argc, argv);
  } catch (const app::Exit& exit) {
    return exit.code;
  } catch (const run::Interrupted& stop) {
    return 128 + stop.signal();
  } catch (const std::exception& error) {
    log_error(error.what());
    return static_cast<int>(exit_code(error));
  }
}
