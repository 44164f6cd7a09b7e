// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/registry.h"

#include "namid/attacks/pgd.h"
#include "namid/core/error.h"

namespace namid::attacks {

struct NamedAttack::Bound {
  virtual ~Bound() = default;
  virtual std::unique_ptr<Bound> copy() const = 0;
  virtual void add_options(OptionSet& set, std::string section) = 0;
  virtual Budget& budget() = 0;
  virtual void validate() const = 0;
  virtual int rounds(std::int64_t classes) const = 0;
  virtual AttackResult run(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const Context& context) const = 0;
};

namespace {

using Bound = NamedAttack::Bound;

template <class Options, auto kFunction>
struct BoundTo final : Bound {
  explicit BoundTo(std::string_view attack) : name(attack) {}
  std::unique_ptr<Bound> copy() const override { return std::make_unique<BoundTo>(*this); }
  void add_options(OptionSet& set, std::string section) override {
    set.add(std::move(section), options);
  }
  Budget& budget() override { return options.budget; }
  void validate() const override {
    namid::validate(options, name);
    validate_budget(options.budget, name);
  }
  int rounds(std::int64_t classes) const override { return attacks::rounds(options, classes); }
  AttackResult run(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const Context& context) const override {
    return kFunction(model, x, y, options, context);
  }

  std::string_view name;
  Options options = {};
};

template <class Options, auto kFunction>
std::unique_ptr<Bound> bind(std::string_view name, const Options& defaults) {
  auto bound = std::make_unique<BoundTo<Options, kFunction>>(name);
  bound->options = defaults;
  return bound;
}

template <class Options, auto kFunction>
std::unique_ptr<Bound> bind(std::string_view name) {
  return bind<Options, kFunction>(name, Options{});
}

struct Row {
  AttackInfo info;
  std::unique_ptr<Bound> (*make)(std::string_view name);
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      {{.name = "pgd",
        .summary = "projected gradient descent from a random start",
        .paper = "madry2018",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = true,
        .budget = PgdOptions{}.budget},
       bind<PgdOptions, pgd>},
  };
  return table;
}

const Row& row(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& candidate : rows()) {
    if (candidate.info.name == name) return candidate;
    names.emplace_back(candidate.info.name);
  }
  const auto near = nearest(name, names);
  throw OptionError(str("unknown attack '", name, "'",
                        near.empty() ? std::string() : str("; did you mean '", near, "'?"),
                        " (`namid list attacks` shows all)"));
}

}  // namespace

std::span<const AttackInfo> attack_table() {
  static const auto infos = [] {
    std::vector<AttackInfo> all;
    for (const auto& each : rows()) all.push_back(each.info);
    return all;
  }();
  return infos;
}

NamedAttack::NamedAttack(std::string_view name)
    : info_(&row(name).info), bound_(row(name).make(info_->name)) {}
NamedAttack::NamedAttack(const NamedAttack& other)
    : info_(other.info_), bound_(other.bound_->copy()) {}
NamedAttack& NamedAttack::operator=(const NamedAttack& other) {
  return *this = NamedAttack(other);
}
NamedAttack::NamedAttack(NamedAttack&&) noexcept = default;
NamedAttack& NamedAttack::operator=(NamedAttack&&) noexcept = default;
NamedAttack::~NamedAttack() = default;

const AttackInfo& NamedAttack::info() const {
  return *info_;
}
void NamedAttack::add_options(OptionSet& set, std::string section) {
  bound_->add_options(set, std::move(section));
}
Budget& NamedAttack::budget() {
  return bound_->budget();
}
void NamedAttack::validate() const {
  bound_->validate();
}
int NamedAttack::rounds(std::int64_t classes) const {
  return bound_->rounds(classes);
}

AttackResult NamedAttack::operator()(const Classifier& model, const at::Tensor& x,
                                     const at::Tensor& y, const Context& context) const {
  return bound_->run(model, x, y, context);
}

}  // namespace namid::attacks
