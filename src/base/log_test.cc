#include "base/log.h"

#include <gtest/gtest.h>

#include "base/io.h"
#include "testing/temporary_directory.h"

namespace weir {
namespace {

TEST(Log, WritesToItsFileFromItsLevelOn) {
  testing::TemporaryDirectory directory;
  EXPECT_FALSE(log::set_file("/dev/null/log"));
  ASSERT_TRUE(log::set_file(directory.file("log")));
  log::info("first");
  log::debug("too small");
  log::warning("{} and last", "second");
  log::set_level(log::Level::kError);
  log::warning("muted");
  log::set_level(log::Level::kInfo);
  std::string text = io::read_file(directory.file("log")).value();
  EXPECT_NE(text.find(" info first\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" warning second and last\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("too small"), std::string::npos) << text;
  EXPECT_EQ(text.find("muted"), std::string::npos) << text;
}

}  // namespace
}  // namespace weir
