// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "namid/io/atomic_file.h"
#include "namid/report/report.h"

namespace namid::app {

void add_compare(CLI::App& app) {
  struct State {
    std::vector<std::filesystem::path> runs;
    std::string format = "text";
    std::filesystem::path out_file;
    bool paired = false, as_json = false;
  };
  auto state = std::make_shared<State>();
  auto* sub = app.add_subcommand("compare", "runs side by side");
  sub->allow_extras();
  sub->add_option("RUN", state->runs, "run folders")->required();
  sub->add_option("--format", state->format, "text, markdown, csv, json, latex or html")
      ->capture_default_str();
  sub->add_flag("--paired", state->paired,
                "McNemar's test of every two evaluations on their common images, Holm-corrected");
  sub->add_option("--out-file", state->out_file, "write there instead of to stdout")
      ->type_name("FILE");
  sub->add_flag("--json", state->as_json, "the same as --format json");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto format =
        detail::parse_value<report::TableFormat>(state->as_json ? "json" : state->format);
    const auto text = report::compare(state->runs, format, state->paired);
    if (state->out_file.empty()) {
      std::fputs(text.c_str(), stdout);
    } else {
      io::write_file_atomically(state->out_file, text);
    }
  });
}

}  // namespace namid::app
