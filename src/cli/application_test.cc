#include "cli/application.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/command.h"
#include "cli/help.h"

namespace weir::cli {
namespace {

struct Ran {
  int exit_code;
  std::string out;
  std::string errors;
};

Ran run_with(std::vector<std::string> arguments) {
  std::ostringstream out;
  std::ostringstream errors;
  int exit_code = run(arguments, out, errors);
  return {exit_code, out.str(), errors.str()};
}

bool is_one_sentence(const std::string& text) {
  return text.starts_with("weir: ") && text.ends_with("\n") && std::count(text.begin(), text.end(), '\n') == 1;
}

TEST(Application, EveryCommandHasAWholeManualPage) {
  for (const auto& command : all_commands()) {
    Ran ran = run_with({command->manual().name, "--help"});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(ran.errors, "");
    for (const char* part :
         {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "--json", "--help"})
      EXPECT_NE(ran.out.find(part), std::string::npos) << command->manual().name << " lacks " << part;
    EXPECT_FALSE(command->manual().examples.empty());
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
    EXPECT_EQ(run_with({"help", command->manual().name}).out, ran.out);
  }
}

TEST(Application, TheOverviewNamesEveryCommand) {
  Ran ran = run_with({"help"});
  EXPECT_EQ(ran.exit_code, 0);
  for (const auto& command : all_commands())
    EXPECT_NE(ran.out.find("  " + command->manual().name + " "), std::string::npos);
}

TEST(Application, WithoutACommandTheOverviewGoesToStderr) {
  Ran ran = run_with({});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.errors.find("Usage:"), std::string::npos);
}

TEST(Application, WrongUsageIsOneSentenceAndExitCodeTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {"frobnicate"},
      {"help", "frobnicate"},
      {"--frobnicate"},
      {"up"},
      {"up", ""},
      {"up", "/data", "extra"},
      {"up", "/data", "--frobnicate"},
      {"up", "/data", "--cache-size"},
      {"up", "/data", "--cache-size", "2TB "},
      {"up", "/data", "--cache-size", "-1"},
      {"up", "/data", "--cache-size=-1"},
      {"up", "/data", "--cache-size", "big"},
      {"up", "/data", "--cache-size", "1KiB"},
      {"up", "/data", "--cache-size", ""},
      {"up", "/data", "--cache-reserve", "5%"},
      {"up", "/data", "--read-timeout", "soon"},
      {"up", "/data", "--read-timeout", "0"},
      {"up", "/data", "--workers", "0"},
      {"up", "/data", "--workers", "many"},
      {"up", "/data", "--log-level", "loud"},
      {"up", "/data", "--allow-other", "--no-allow-other"},
      {"format", "/srv/meta"},
      {"format", "--store", "/srv/store"},
      {"format", "mysql://db/weir", "--store", "/srv/store"},
      {"format", "", "--store", "/srv/store"},
      {"mount", "/srv/meta"},
      {"mount", "s3://bucket", "/data"},
      {"umount"},
      {"umount", "/data", "--timeout", "-5"},
      {"status"},
      {"stat"},
      {"sync"},
      {"sync", "/data", "--to", "moon"},
      {"warm"},
      {"evict"},
      {"gc"},
      {"fsck"},
      {"version", "extra"},
  };
  for (const auto& arguments : wrong) {
    Ran ran = run_with(arguments);
    std::string shown;
    for (const std::string& argument : arguments) shown += "'" + argument + "' ";
    EXPECT_EQ(ran.exit_code, 2) << shown;
    EXPECT_EQ(ran.out, "") << shown;
    EXPECT_TRUE(is_one_sentence(ran.errors)) << shown << "says: " << ran.errors;
  }
}

TEST(Application, AWrongSizeIsQuotedAndARightOneShown) {
  Ran ran = run_with({"up", "/data", "--cache-size", "2TB "});
  EXPECT_NE(ran.errors.find("'2TB '"), std::string::npos) << ran.errors;
  EXPECT_NE(ran.errors.find("500GiB"), std::string::npos) << ran.errors;
}

TEST(Application, AFailureIsOneSentenceAndExitCodeOneAlsoWithJson) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"status", "/nonexistent/weir"},
                                             {"status", "/nonexistent/weir", "--json"},
                                             {"stat", "/nonexistent/weir"},
                                             {"umount", "/"},
                                             {"gc", "rocksdb:///nonexistent/weir"},
                                             {"mount", "/nonexistent/weir", "/"}}) {
    Ran ran = run_with(arguments);
    EXPECT_EQ(ran.exit_code, 1) << arguments[0];
    EXPECT_EQ(ran.out.empty(), arguments.back() != "--json") << arguments[0];
    EXPECT_TRUE(is_one_sentence(ran.errors)) << ran.errors;
  }
}

TEST(Application, WithJsonAFailureIsADocumentToo) {
  for (const auto& [arguments, code, exit_code] : std::vector<std::tuple<std::vector<std::string>, std::string, int>>{
           {{"status", "/nonexistent/weir", "--json"}, "not_found", 1},
           {{"--json", "frobnicate"}, "", 2},
           {{"stat", "--json"}, "invalid", 2},
           {{"up", "/data", "--cache-size", "2TB ", "--json"}, "invalid", 2},
           {{"stat", "--frobnicate", "--", "--json"}, "", 2}}) {
    Ran ran = run_with(arguments);
    EXPECT_EQ(ran.exit_code, exit_code);
    EXPECT_TRUE(is_one_sentence(ran.errors)) << ran.errors;
    if (code.empty()) {
      EXPECT_EQ(ran.out, "");
      continue;
    }
    auto json = nlohmann::json::parse(ran.out, nullptr, false);
    ASSERT_TRUE(json.is_object()) << ran.out;
    EXPECT_EQ(json["error"]["code"], code);
    EXPECT_EQ("weir: " + json["error"]["what"].get<std::string>() + "\n", ran.errors);
  }
}

TEST(Application, JsonIsOneDocument) {
  Ran ran = run_with({"version", "--json"});
  EXPECT_EQ(ran.exit_code, 0);
  auto json = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << ran.out;
  EXPECT_TRUE(json.contains("volume_format"));
  EXPECT_EQ(run_with({"--version"}).exit_code, 0);
}

TEST(Help, LongTextIsWrappedWithoutLosingWords) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "word" + std::to_string(i) + " ";
  std::string page = wrapped(text, 4);
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 79u);
    EXPECT_EQ(line.substr(0, 4), "    ");
  }
  std::istringstream words(page);
  int count = 0;
  for (std::string word; words >> word; ++count) EXPECT_EQ(word, "word" + std::to_string(count));
  EXPECT_EQ(count, 100);
}

}  // namespace
}  // namespace weir::cli
