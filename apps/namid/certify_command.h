// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "namid/certify/certify.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// What `namid evaluate` proves after its attacks; none: nothing.
enum class CertifyWith { none, interval, fast_lin, crown, alpha_crown };

struct CertifyAfterwards {
  CertifyWith certify = CertifyWith::none;
  bool certify_fp32 = false;
  static constexpr auto fields() {
    using T = CertifyAfterwards;
    return std::tuple{
        field("certify", &T::certify,
              "after the attacks, prove what can be proven of the samples that are classified "
              "right: none, interval, fast-lin, crown, alpha-crown"),
        field("certify_fp32", &T::certify_fp32,
              "certify the float32 network: a bound must exceed what its rounding can do too")};
  }
  bool wanted() const { return certify != CertifyWith::none; }
  certify::CertifyOptions options() const {
    return {.method = static_cast<certify::Method>(static_cast<int>(certify) - 1),
            .fp32 = certify_fp32};
  }
};
NAMID_CHECK_FIELDS(CertifyAfterwards);

/// `namid certify`: natural accuracy and certified accuracy, with a ledger.
class CertifyCommand : public RunCommand {
 public:
  std::string command() const override { return "certify"; }
  std::string default_name() const override;
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;

  struct Inputs {
    std::string model;
    double confidence = 0.95;
    std::string export_unknown;
    static constexpr auto fields() {
      using T = Inputs;
      return std::tuple{
          field("model", &T::model, "model run or file that is certified"),
          field("confidence", &T::confidence, "level of the Clopper-Pearson intervals",
                between(0, 1)),
          field("export_unknown", &T::export_unknown,
                "folder for the network as ONNX and each sample that is neither certified nor "
                "classified wrong as VNN-LIB, for complete verifiers; empty: none")};
    }
  };
  Inputs inputs;
  attacks::Budget budget;
  models::ImportOptions imported;
  certify::CertifyOptions certify;
  data::DataOptions data;

 private:
  data::Dataset test_;
  models::Classifier classifier_;
};
NAMID_CHECK_FIELDS(CertifyCommand::Inputs);

void add_certify(CLI::App& app);

/// The sentences about a result's "certificates".
std::string certificates_text(const json& certificates);

}  // namespace namid::app

namespace namid {
template <>
struct EnumNames<app::CertifyWith> {
  static constexpr std::array kNames{"none", "interval", "fast-lin", "crown", "alpha-crown"};
};
}  // namespace namid
