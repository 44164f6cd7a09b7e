// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/command.h"

namespace namid::app {

void add_output_flags(CLI::App& app, Output& output) {
  app.add_option("--out", output.out, "folder under which the run folder is made")
      ->type_name("DIR")
      ->capture_default_str()
      ->group("Output");
  app.add_option("--name", output.name, "name of the run; the folder gets a number after it")
      ->type_name("TEXT")
      ->group("Output");
  app.add_flag("--json", output.as_json, "print one JSON document on stdout")->group("Output");
  app.add_flag("--quiet", output.quiet, "no progress on stderr")->group("Output");
}

void add_trust_flag(CLI::App& app, bool& trust) {
  app.add_flag("--trust", trust,
               "run a TorchScript model, a program that may do anything: only from people you "
               "trust");
}

}  // namespace namid::app
