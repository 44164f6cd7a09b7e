// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "namid/core/format.h"

namespace namid::app {

template <class Command>
void add_run_command(CLI::App& app, const std::string& help, const std::string& positional,
                     std::span<const std::string> arguments) {
  struct State {
    Command command;
    Output output;
    std::string argument;
    std::unique_ptr<Flags> flags;
  };
  auto state = std::make_shared<State>();
  if (const auto selector = state->command.selector(); !selector.empty()) {
    const auto options = state->command.options();
    if (const auto given = find_given(options.find(selector), arguments))
      options.set(selector, *given);
  }
  auto* sub = app.add_subcommand(state->command.command(), help);
  const bool names_a_model = positional != "table";
  if (!positional.empty())
    sub->add_option(names_a_model ? "MODEL" : "TABLE", state->argument,
                    str(names_a_model ? "model run or file" : "what to reproduce", " (also --",
                        positional, ")"));
  add_output_flags(*sub, state->output);
  const auto name = state->command.command();
  if (name == "train" || name == "transfer" || (names_a_model && !positional.empty()))
    add_trust_flag(*sub, state->output.trust);
  state->flags = std::make_unique<Flags>(*sub, state->command.options());
  sub->callback([state, positional] {
    state->flags->apply([state] { state->command.apply_profile(); });
    if (!state->argument.empty()) state->command.options().set(positional, state->argument);
    if (const int code = execute(state->command, state->output)) throw Exit{code};
  });
}

}  // namespace namid::app
