// SPDX-License-Identifier: Apache-2.0
#include "namid/core/claim.h"

#include <gtest/gtest.h>

namespace namid {
namespace {

TEST(Claim, ReadsSharesPercentagesAndFractions) {
  const auto claim = parse_claim("robust>=0.45");
  EXPECT_EQ(claim.quantity, Quantity::robust);
  EXPECT_EQ(claim.comparison, Comparison::at_least);
  EXPECT_EQ(claim.threshold, 0.45);
  EXPECT_EQ(parse_claim("robust>45%").comparison, Comparison::above);
  EXPECT_EQ(parse_claim("robust>45%").threshold, 0.45);
  EXPECT_EQ(parse_claim("robust>=9/20").threshold, 0.45);
  EXPECT_EQ(parse_claim(" natural <= 90.1 % ").threshold, 0.901);
  EXPECT_EQ(parse_claim("natural<90/2%").threshold, 0.45);
  EXPECT_EQ(parse_claim("natural<1").comparison, Comparison::below);
  EXPECT_EQ(parse_claim("natural<=1").quantity, Quantity::natural);
}

TEST(Claim, ReadsEveryPercentageAsTheNearestShare) {
  for (int tenths = 0; tenths <= 1000; ++tenths) {
    const auto claim = parse_claim(str("robust>=", tenths / 10, ".", tenths % 10, "%"));
    EXPECT_EQ(claim.threshold, tenths / 1000.0);
    EXPECT_TRUE(claim.holds(static_cast<double>(tenths * 10) / 10000));
  }
}

TEST(Claim, IsWrittenAsItIsRead) {
  for (const auto* text : {"robust>=0.45", "robust>0.5", "natural<=0.901", "natural<1"}) {
    EXPECT_EQ(to_string(parse_claim(text)), text);
  }
}

TEST(Claim, RefusesOtherTextsAndSaysWhatIsExpected) {
  for (const auto* text : {"", "robust", "robust=0.45", "robust=>0.45", "robust>=", "robust>=45",
                           "robust>=101%", "robust>=-0.1", "robust>=nan", "clean>=0.4", ">=0.4",
                           "robust>=0.4x", "robust>>0.4", "robust>=1/0", "Robust>=0.4"}) {
    try {
      parse_claim(text);
      ADD_FAILURE() << text;
    } catch (const OptionError& error) {
      EXPECT_NE(std::string(error.what()).find("robust>=0.45"), std::string::npos) << text;
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  }
}

TEST(Claim, ComparesWithItsThreshold) {
  const auto holds = [](const char* text, double accuracy) {
    return parse_claim(text).holds(accuracy);
  };
  EXPECT_TRUE(holds("robust>=0.45", 0.45));
  EXPECT_FALSE(holds("robust>0.45", 0.45));
  EXPECT_TRUE(holds("robust<=0.45", 0.45));
  EXPECT_FALSE(holds("robust<0.45", 0.45));
}

TEST(Decision, IsOpenUntilOneAnswerIsLeft) {
  const auto claim = parse_claim("robust>=0.45");
  ConfidenceSequence good(1000), bad(1000);
  EXPECT_EQ(decide(claim, good), Decision::open);
  std::int64_t looks = 0;
  while (decide(claim, good) == Decision::open) good.add(++looks % 10 < 7);
  EXPECT_EQ(decide(claim, good), Decision::yes);
  EXPECT_LT(looks, 100);
  for (int i = 0; i < 100; ++i) bad.add(i % 10 < 2);
  EXPECT_EQ(decide(claim, bad), Decision::no);
  EXPECT_EQ(decide(parse_claim("robust<45%"), bad), Decision::yes);
  EXPECT_EQ(to_string(Decision::open), "not yet");
}

TEST(Decision, IsExactOnceAllImagesAreSeen) {
  for (std::int64_t right = 0; right <= 20; ++right) {
    ConfidenceSequence all(20);
    all.add(right, 20);
    EXPECT_EQ(decide(parse_claim("robust>=45%"), all), right >= 9 ? Decision::yes : Decision::no);
    EXPECT_EQ(decide(parse_claim("robust>45%"), all), right > 9 ? Decision::yes : Decision::no);
    EXPECT_EQ(decide(parse_claim("robust<=9/20"), all), right <= 9 ? Decision::yes : Decision::no);
  }
}

}  // namespace
}  // namespace namid
