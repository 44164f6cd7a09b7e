// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/transfer_command.h"
#include "namid/eval/evaluation.h"

namespace namid::app {

void CellCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  prepare_attacks();
  test_ = test;
  classifier_ = target;
  compiled_ = surrogate;
  taken_ = taken;
  attacks_ = eval::through_images(std::move(attacks_), images);
  if (attacks_.precision.empty()) attacks_.kernels = compiled_.kernels;
  eval::check_evaluation(classifier_, test_, attacks_, evaluate);
}

void take_column(EvaluateCommand& command, const Column& column) {
  command.suite = column.suite;
  command.attack = column.attack;
}

std::shared_ptr<eval::TransferImages> open_images(const std::filesystem::path& path,
                                                  const models::Classifier& surrogate,
                                                  const data::Dataset& test,
                                                  const EvaluateCommand& command,
                                                  const std::string& precision) {
  auto suite = eval::make_suite(command.suite, command.attack);
  suite.precision = precision;
  return std::make_shared<eval::TransferImages>(
      path,
      eval::Bench{.model = surrogate,
                  .dataset = test,
                  .seed = command.evaluate.seed,
                  .compute_batch = command.evaluate.compute_batch,
                  .padded = !command.evaluate.fast},
      suite);
}

void remove_images(const std::filesystem::path& path) {
  for (const auto* end : {"", "-wal", "-shm"}) std::filesystem::remove(path.string() + end);
}

}  // namespace namid::app
