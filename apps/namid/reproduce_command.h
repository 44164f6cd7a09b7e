// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/recipes.h"
#include "apps/namid/reproduce_plan.h"
#include "apps/namid/train_command.h"
#include "apps/namid/transfer_columns.h"
#include "namid/report/figure_scores.h"
#include "namid/report/reproduction.h"

namespace namid::app {

/// `namid reproduce TABLE`: the paper's rows at a scale, each seed the whole chain (target,
/// estimators, defence), every checkpoint attacked, published beside measured. One run folder with
/// a folder per seed and in it one per run; what is done is not run again, so that an interrupted
/// or extended reproduction goes on.
class ReproduceCommand : public RunCommand {
 public:
  struct ReproduceOptions {
    std::string table = "table1";
    Scale scale = Scale::tiny;
    int seeds = 3;
    int main_seeds = 0;
    std::string norms;
    std::string rows;
    Columns columns = Columns::judge;
    std::string cifar10;
    std::string tiny_imagenet;
    std::int64_t test_limit = 1000;
    int jobs = 1;
    std::string changes;
    static constexpr auto fields() {
      using T = ReproduceOptions;
      return std::tuple{
          field("table", &T::table, "table1 to table6, fig2, fig4, fig5, fig7 or tuned"),
          field("scale", &T::scale,
                "tiny: minutes a row, on the data set that ships with namid; small: hours, on "
                "CIFAR-10; full: the paper's settings"),
          field("seeds", &T::seeds, "seeds 0, 1, ... of each row", at_least(1)),
          field("main_seeds", &T::main_seeds,
                "seeds of the rows standard and namid, where they are to have more; 0: as seeds",
                at_least(0)),
          field("norms", &T::norms, "linf, l2 or linf,l2; empty: those of the table"),
          field("rows", &T::rows, "defences, e.g. standard,namid; empty: those of the table"),
          field("columns", &T::columns,
                "judge: PGD-40 and a judge (full scale: AutoAttack; below: APGD-CE, then APGD-T); "
                "paper: AutoAttack, FWA-40 and TI-DIM (L-inf) or CW and DDN (L2) too"),
          field("cifar10", &T::cifar10, "file or folder of CIFAR-10 (small, full)"),
          field("tiny_imagenet", &T::tiny_imagenet, "folder of Tiny-ImageNet (small, full)"),
          field("test_limit", &T::test_limit, "test images that are attacked; 0: all", at_least(0)),
          field("jobs", &T::jobs,
                "processes that share the seeds; give each its part of the cores by --threads",
                at_least(1)),
          field("changes", &T::changes,
                "settings that replace those of the recipes, for a trial: 'epochs=1 "
                "train_limit=500'")};
    }
  };

  std::string command() const override { return "reproduce"; }
  std::string default_name() const override;
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  bool goes_on_when_done() const override { return true; }

  ReproduceOptions reproduce;

 private:
  void run_seeds(const run::RunFolder& folder, int job);
  void run_seed(const run::RunFolder& folder, int seed);
  void run_recipe(const Recipe& recipe, const run::RunFolder& folder, int seed);
  void evaluate(const Recipe& recipe, const run::RunFolder& folder, int seed);
  /// The same by way of the surrogates, all rows together, so that they share its images.
  void transfer(const run::RunFolder& folder, int seed);
  void transfer_column(const run::RunFolder& folder, const Recipe& surrogate, const Column& column,
                       int seed);
  /// An evaluation of one of a recipe's checkpoints, without its attacks.
  void describe(EvaluateCommand& command, const Recipe& recipe, const std::filesystem::path& model,
                int seed) const;
  /// Name of the stage in which a column of a checkpoint is attacked.
  std::string stage_of(const Recipe& recipe, const std::string& checkpoint,
                       const std::string& column) const;
  std::vector<Column> columns_of(const Recipe& recipe) const;
  int seeds_of(const Recipe& recipe) const;
  /// Whether it is attacked and a row; of a figure of scores the models are not.
  bool is_shown(const Recipe& recipe) const;
  std::string data_of(const Recipe& recipe) const;
  bool add_verdicts(report::MeasuredRow& row, const Recipe& recipe,
                    const std::filesystem::path& seed) const;
  report::MeasuredRow measure(const Recipe& recipe, const run::RunFolder& folder) const;
  json scores(const run::RunFolder& folder) const;  ///< of Fig. 2 or 4; else empty
  json result(const run::RunFolder& folder) const;
  std::string tables(const json& result, report::TableFormat format) const;
  std::string heading() const;  ///< what was measured, on what

  std::vector<Recipe> recipes_;  ///< those to run, in an order in which each finds what it needs
};
NAMID_CHECK_FIELDS(ReproduceCommand::ReproduceOptions);

/// "seed-00": the folder of a seed inside a reproduction's.
std::string seed_folder(int seed);

}  // namespace namid::app
