// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/namid/command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/transfer_columns.h"
#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/evaluate.h"
#include "namid/eval/transfer_images.h"
#include "namid/models/classifier.h"

namespace namid::app {

/// `namid evaluate TARGET --surrogate SURROGATE` with models that are in memory and images made
/// once (eval/transfer_images.h). As a run it is that evaluation: record, ledger and what `namid
/// resume` makes of it.
class CellCommand : public EvaluateCommand {
 public:
  void prepare() override;

  models::Classifier target;
  engine::Compiled surrogate;
  eval::PrecisionTaken taken;  ///< in which `images` are made
  std::shared_ptr<eval::TransferImages> images;
  data::Dataset test;
};

/// Sets what a column says on an evaluation.
void take_column(EvaluateCommand& command, const Column& column);

/// The images of one surrogate and column in the file `path`, on the images and draws of
/// `command`. `precision`: Suite::precision of the surrogate.
std::shared_ptr<eval::TransferImages> open_images(const std::filesystem::path& path,
                                                  const models::Classifier& surrogate,
                                                  const data::Dataset& test,
                                                  const EvaluateCommand& command,
                                                  const std::string& precision = "");
/// Deletes such a file, closed, and what SQLite has beside it.
void remove_images(const std::filesystem::path& path);

/// `namid transfer`: the black-box protocol of the paper's Tables 2, 5 and 6 as a matrix:
/// adversarial images of each surrogate, judged on each target. The run folder holds a folder
/// "<surrogate>--<target>" per cell and in it an evaluation per column, each with a ledger of its
/// own; images that all targets of a surrogate share are beside them while a column is worked on.
class TransferCommand : public RunCommand {
 public:
  struct TransferOptions {
    std::string surrogates, targets;
    std::string suite = "pgd-40";
    eval::AutoAttackVersion aa_version = eval::AutoAttackVersion::v2023;
    static constexpr auto fields() {
      using T = TransferOptions;
      return std::tuple{
          field("surrogates", &T::surrogates,
                "model runs or files that the attacks see, separated by commas; NAME=PATH gives "
                "one a name"),
          field("targets", &T::targets,
                "model runs or files that judge; one that is a surrogate too gives a white-box "
                "cell"),
          field("suite", &T::suite,
                "columns, separated by commas: pgd-N, a suite, an attack with its options, "
                "NAME=one of these, paper-linf or paper-l2"),
          field("aa_version", &T::aa_version,
                "AutoAttack's settings: upstream of 2023, or the released code's 40 iterations")};
    }
  };

  std::string command() const override { return "transfer"; }
  std::string default_name() const override;
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  int exit_status(const json& result) const override;

  TransferOptions transfer;
  PrecisionOptions precision;
  eval::EvaluateOptions evaluate;
  data::DataOptions data;
  attacks::PgdOptions attack;

 private:
  struct Model {
    std::string name = {}, path = {}, sha256 = {};
    models::Classifier classifier = {};
    engine::Compiled compiled = {};  ///< of a surrogate
    eval::PrecisionTaken taken = {};
    /// A surrogate as attacks see it.
    models::Classifier seen() const;
    /// The same file, or the same weights.
    bool is(const Model& other) const {
      return path == other.path || (!sha256.empty() && sha256 == other.sha256);
    }
  };

  void check_options() const;
  std::vector<Model> read_models(const std::string& option, const std::string& list) const;
  void check_models() const;
  void take_precisions(const run::RunFolder& folder, bool resume);
  void run_column(const run::RunFolder& folder, const Model& surrogate, const Column& column) const;
  CellCommand cell_command(const Model& surrogate, const Model& target, const Column& column) const;
  json cell(const run::RunFolder& folder, const Model& surrogate, const Model& target) const;
  json matrix(const run::RunFolder& folder) const;

  std::vector<Column> columns_;
  std::vector<Model> surrogates_, targets_;
  data::Dataset test_;
};
NAMID_CHECK_FIELDS(TransferCommand::TransferOptions);

}  // namespace namid::app
