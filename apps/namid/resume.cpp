// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/attack_command.h"
#include "apps/namid/certify_command.h"
#include "apps/namid/command.h"
#include "apps/namid/curve_command.h"
#include "apps/namid/demo_command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/flags.h"
#include "apps/namid/masking_command.h"
#include "apps/namid/mi_command.h"
#include "apps/namid/reproduce_command.h"
#include "apps/namid/train_command.h"
#include "apps/namid/transfer_command.h"
#include "namid/io/records.h"

namespace namid::app {

std::unique_ptr<RunCommand> make_command(const std::string& name) {
  if (name == "train") return std::make_unique<TrainCommand>();
  if (name == "estimate") return std::make_unique<EstimateCommand>();
  if (name == "mi") return std::make_unique<MiCommand>();
  if (name == "evaluate") return std::make_unique<EvaluateCommand>();
  if (name == "certify") return std::make_unique<CertifyCommand>();
  if (name == "curve") return std::make_unique<CurveCommand>();
  if (name == "masking") return std::make_unique<MaskingCommand>();
  if (name == "attack") return std::make_unique<AttackCommand>();
  if (name == "reproduce") return std::make_unique<ReproduceCommand>();
  if (name == "transfer") return std::make_unique<TransferCommand>();
  if (name == "demo") return std::make_unique<DemoCommand>();
  throw DataError("run.json: unknown command '" + name + "'");
}

std::unique_ptr<RunCommand> command_of(const run::RunFolder& folder) {
  const auto record = folder.read_record();
  auto command = make_command(record.value("command", ""));
  if (record.value("status", "") == "done" && !command->goes_on_when_done())
    throw OptionError(folder.path().string() + ": this run is done; there is nothing to resume");
  const auto config = folder.read_config(), file = (folder / "config.toml").string();
  if (const auto selector = command->selector(); !selector.empty())
    if (const auto value = io::find_in_toml(config, selector, file))
      command->options().set(selector, *value);
  io::apply_toml(command->options(), config, file);
  return command;
}

void add_resume(CLI::App& app) {
  struct State {
    std::string run;
    Output output;
  };
  auto state = std::make_shared<State>();
  auto* sub = app.add_subcommand("resume", "go on with an interrupted run");
  sub->allow_extras();
  sub->add_option("RUN", state->run, "run folder")->required();
  sub->add_flag("--json", state->output.as_json, "print one JSON document on stdout");
  sub->add_flag("--quiet", state->output.quiet, "no progress on stderr");
  add_trust_flag(*sub, state->output.trust);
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto folder = run::RunFolder::open(state->run);
    const auto command = command_of(folder);
    if (const int code = execute(*command, state->output, &folder)) throw Exit{code};
  });
}

}  // namespace namid::app
