// SPDX-License-Identifier: Apache-2.0
#include "namid/run/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include "namid/core/error.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::run {
namespace {

using testing::bytes_of;
using testing::TempFolder;

std::vector<std::filesystem::path> event_files(const TempFolder& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      files.push_back(entry.path());
  return files;
}

void write_three(const TempFolder& folder) {
  MetricsWriter writer(folder.path());
  writer.write("step", 1, 0.5, {{"loss", 1.25}});
  writer.write("step", 2, 1, {{"loss", 0.1}});
  writer.write("epoch", 2, 1, {{"robust", 0.45}, {"loss", 2}});
  writer.flush();
}

TEST(Metrics, WritesTheSameRowsToBothTexts) {
  const TempFolder folder;
  write_three(folder);
  EXPECT_EQ(bytes_of(folder / "metrics.jsonl"),
            "{\"kind\":\"step\",\"step\":1,\"epoch\":0.5,\"loss\":1.25}\n"
            "{\"kind\":\"step\",\"step\":2,\"epoch\":1.0,\"loss\":0.1}\n"
            "{\"kind\":\"epoch\",\"step\":2,\"epoch\":1.0,\"loss\":2.0,\"robust\":0.45}\n");
  EXPECT_EQ(bytes_of(folder / "metrics.csv"),
            "step,epoch,kind,loss,robust\n1,0.5,step,1.25,\n2,1,step,0.1,\n2,1,epoch,2,0.45\n");
  ASSERT_EQ(event_files(folder).size(), 1u);
  const auto events = bytes_of(event_files(folder)[0]);
  EXPECT_NE(events.find("brain.Event:2"), std::string::npos);
  EXPECT_NE(events.find("epoch/robust"), std::string::npos);
}

TEST(Metrics, AppendsToWhatIsThere) {
  const TempFolder folder;
  write_three(folder);
  MetricsWriter(folder.path()).write("step", 3, 1.5, {{"a,\"b", 1}});
  const auto rows = read_metrics(folder.path());
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2].kind, "epoch");
  EXPECT_EQ(rows[2].metrics, (Metrics{{"loss", 2}, {"robust", 0.45}}));
  EXPECT_EQ(bytes_of(folder / "metrics.csv"),
            "step,epoch,kind,loss,robust,\"a,\"\"b\"\n1,0.5,step,1.25,,\n2,1,step,0.1,,\n"
            "2,1,epoch,2,0.45,\n3,1.5,step,,,1\n");
}

TEST(Metrics, ResumeDropsLaterRowsAndStartsANewEventFile) {
  const TempFolder folder;
  write_three(folder);
  MetricsWriter writer(folder.path(), 1);
  writer.write("step", 2, 1, {{"loss", 0.7}});
  const auto rows = read_metrics(folder.path());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].metrics.at("loss"), 0.7);
  EXPECT_EQ(bytes_of(folder / "metrics.csv"),
            "step,epoch,kind,loss\n1,0.5,step,1.25\n2,1,step,0.7\n");
  EXPECT_EQ(event_files(folder).size(), 2u);
}

TEST(Metrics, ALineCutOffByAKillIsDropped) {
  const TempFolder folder;
  write_three(folder);
  const auto whole = bytes_of(folder / "metrics.jsonl");
  const auto last_line = whole.rfind('\n', whole.size() - 2) + 1;
  for (auto length = last_line; length < whole.size(); ++length) {
    std::ofstream(folder / "metrics.jsonl") << whole.substr(0, length);
    EXPECT_EQ(read_metrics(folder.path()).size(), 2u) << length;
    MetricsWriter(folder.path()).write("epoch", 2, 1, {{"robust", 0.45}, {"loss", 2}});
    EXPECT_EQ(bytes_of(folder / "metrics.jsonl"), whole) << length;
    EXPECT_EQ(bytes_of(folder / "metrics.csv"),
              "step,epoch,kind,loss,robust\n1,0.5,step,1.25,\n2,1,step,0.1,\n2,1,epoch,2,0.45\n");
  }
}

TEST(Metrics, NumbersThatAreNotFiniteStayValidJson) {
  const TempFolder folder;
  const double inf = std::numeric_limits<double>::infinity();
  MetricsWriter(folder.path()).write("step", 1, 0, {{"a", std::nan("")}, {"b", inf}, {"c", 1e300}});
  EXPECT_EQ(bytes_of(folder / "metrics.jsonl"),
            "{\"kind\":\"step\",\"step\":1,\"epoch\":0.0,\"a\":null,\"b\":null,\"c\":1e+300}\n");
  EXPECT_EQ(bytes_of(folder / "metrics.csv"), "step,epoch,kind,a,b,c\n1,0,step,nan,nan,1e+300\n");
  EXPECT_TRUE(std::isnan(read_metrics(folder.path()).at(0).metrics.at("a")));
}

TEST(Metrics, ErrorsSayWhere) {
  const TempFolder folder;
  EXPECT_THROW(MetricsWriter(folder.path()).write("step", 1, 0, {{"epoch", 1}}), OptionError);
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(MetricsWriter(folder / "file"), ResourceError);
  EXPECT_THROW(MetricsWriter(folder / "missing"), ResourceError);
  EXPECT_TRUE(read_metrics(folder / "missing").empty());
  for (const auto line :
       {"{\"step\":1}", "oops", "[]", "{\"kind\":\"a\",\"step\":1,\"epoch\":1,\"x\":\"y\"}"}) {
    std::ofstream(folder / "metrics.jsonl") << line << "\n";
    try {
      read_metrics(folder.path());
      ADD_FAILURE() << line;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("metrics.jsonl:1: expected"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace namid::run
