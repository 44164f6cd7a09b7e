// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "namid/report/report.h"
#include "namid/report/sections.h"
#include "report/has.h"
#include "report/markup_check.h"
#include "report/sample_run.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::report {
namespace {

std::string section_of(const nlohmann::json& certificates) {
  RunData run;
  if (!certificates.is_null()) run.record["result"]["certificates"] = certificates;
  Html page;
  add_certificates(page, run);
  return page.markup();
}

TEST(CertificatesSection, TellsCountsSharesAndHow) {
  const auto page = section_of({{"method", "crown"},
                                {"norm", "linf"},
                                {"epsilon", 0.1},
                                {"box", false},
                                {"n", 200},
                                {"certified", 150},
                                {"unknown", 30},
                                {"broken", 20},
                                {"smallest_margin", 0.0123456789},
                                {"float32_slack", 0.5},
                                {"below_float32", 7},
                                {"seconds", 90.0}});
  namid::testing::MarkupCheck check;
  EXPECT_EQ(check.run(page), "");
  for (const char* part : {"Certificates", "75.00 %", "15.00 %", "10.00 %", "crown",
                           "L∞ 0.1, without the box", "0.012346", "1 min 30 s"})
    EXPECT_NE(page.find(part), std::string::npos) << part << "\n" << page;
}

TEST(CertificatesSection, IsLeftOutWithoutCertificates) {
  EXPECT_EQ(section_of(nullptr), "");
}

TEST(CertificatesSection, StandsWithoutASingleCertificate) {
  const auto page = section_of({{"method", "interval"},
                                {"n", 10},
                                {"certified", 0},
                                {"unknown", 9},
                                {"broken", 1},
                                {"smallest_margin", nullptr},
                                {"float32_slack", nullptr}});
  EXPECT_NE(page.find("0.00 %"), std::string::npos);
  EXPECT_EQ(page.find("smallest certified margin"), std::string::npos);
}

TEST(CertificatesSection, HeadlineTellsBothSides) {
  namid::testing::TempFolder folder;
  namid::testing::write_certification(folder / "proof-001");
  const auto page = namid::testing::bytes_of(write_report(folder / "proof-001"));
  namid::testing::MarkupCheck check;
  EXPECT_EQ(check.run(page), "");
  for (const char* part : {"L = 40.0 %", "U = 76.9 %", "no attack was run", "Certified accuracy"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace namid::report
