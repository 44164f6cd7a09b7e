// SPDX-License-Identifier: Apache-2.0
#include "namid/report/html.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "report/markup_check.h"

namespace namid::report {
namespace {

using namid::testing::markup_fault;

TEST(Html, EscapesEveryCharacterThatMarkupReads) {
  EXPECT_EQ(escape("<a href=\"x\" title='y'>&</a>"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;");
  EXPECT_EQ(escape("é, 文 and 🙂 stay"), "é, 文 and 🙂 stay");
}

TEST(Html, ReplacesBrokenTextControlsAndOverrides) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(escape(std::string("a\0b", 3)), "a" + mark + "b");
  EXPECT_EQ(escape("\x1b[2J"), mark + "[2J");
  EXPECT_EQ(escape("\u202Egnp.exe"), mark + "gnp.exe");
  EXPECT_EQ(escape("\xC0\xAF"), mark + mark) << "overlong form of /";
  EXPECT_EQ(escape("\xED\xA0\x80"), mark + mark + mark) << "surrogate";
  EXPECT_EQ(escape("\xF4\x90\x80\x80").substr(0, 3), mark) << "beyond Unicode";
  EXPECT_EQ(escape("end\xE2\x82"), "end" + mark + mark) << "cut off";
}

TEST(Html, WritesElementsTextAndAttributes) {
  Html html;
  html.open("p", {{"class", "a\"b"}}).text("1 < 2").empty("br").element("b", "x&y").close();
  EXPECT_EQ(html.markup(), "<p class=\"a&quot;b\">1 &lt; 2<br/><b>x&amp;y</b></p>");
  EXPECT_EQ(markup_fault(html.markup()), "");
}

TEST(Html, RefusesWhatRunsOrLoads) {
  for (const char* tag :
       {"script", "iframe", "object", "form", "link", "base", "style", "a b", ""}) {
    EXPECT_THROW(Html().open(tag), std::logic_error) << tag;
  }
  EXPECT_THROW(Html().open("p", {{"onclick", "alert(1)"}}), std::logic_error);
  EXPECT_THROW(Html().open("p", {{"a\"b", "x"}}), std::logic_error);
  EXPECT_THROW(Html().open("a", {{"href", "javascript:alert(1)"}}), std::logic_error);
  EXPECT_THROW(Html().empty("img", {{"src", "https://example.org/x.png"}}), std::logic_error);
  EXPECT_THROW(Html().empty("img", {{"src", "data:image/svg+xml;base64,AA=="}}), std::logic_error);
  EXPECT_NO_THROW(Html().open("a", {{"href", "#result"}}));
  EXPECT_NO_THROW(Html().empty("img", {{"src", "data:image/png;base64,AA=="}}));
}

TEST(Html, RefusesOpenElementsAndExtraEnds) {
  EXPECT_THROW(Html().open("p").markup(), std::logic_error);
  EXPECT_THROW(Html().close(), std::logic_error);
  Html part;
  part.open("i");
  EXPECT_THROW(Html().append(part), std::logic_error);
}

TEST(Html, PageHasLanguageTitleViewportAndPolicy) {
  Html body;
  body.element("p", "text");
  const std::string page = html_page("a < b", "p{color:red}", body);
  EXPECT_EQ(markup_fault(page), "");
  for (const char* part :
       {"<!DOCTYPE html>\n<html lang=\"en\">", "<title>a &lt; b</title>", "width=device-width",
        "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;",
        "<style>p{color:red}</style>", "<p>text</p>"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
}

TEST(MarkupCheck, FindsFaults) {
  EXPECT_EQ(markup_fault("<p><b>x</b></p>"), "");
  for (const char* text : {"<p>", "</p>", "<p><b></p></b>", "a & b", "<p class=x></p>", "<p"}) {
    EXPECT_NE(markup_fault(text), "") << text;
  }
}

}  // namespace
}  // namespace namid::report
