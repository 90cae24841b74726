#include <gtest/gtest.h>

#include "kv/conformance.h"
#include "testing/temporary_directory.h"

namespace weir::kv {
namespace {

TEST(OpenEngine, a_path_and_a_rocksdb_url_name_the_same_database) {
  testing::TemporaryDirectory directory;
  const std::string path = directory.file("a/b/metadata");
  {
    auto engine = open_engine("rocksdb://" + path + "/", true);
    ASSERT_TRUE(engine) << engine.error().what;
    EXPECT_EQ((*engine)->name(), "rocksdb://" + path);
    EXPECT_TRUE((*engine)->capabilities().persistent);
    EXPECT_FALSE((*engine)->capabilities().shared);
  }
  EXPECT_EQ(outcome(open_engine(path, false)), "ok");
}

TEST(OpenEngine, refuses_what_is_not_a_metadata_url_without_repeating_credentials) {
  for (const std::string url : {"", "relative/path", "rocksdb://relative", "s3://bucket", "mysql://u:secret@host/db"}) {
    auto engine = open_engine(url, false);
    EXPECT_EQ(outcome(engine), "invalid") << url;
    EXPECT_EQ(engine.error().what.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir::kv
