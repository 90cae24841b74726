#include "fuse/wire.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::fuse {
namespace {

template <class T>
std::string raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

TEST(BodyReader, ReadsAStructAndTwoNames) {
  fuse_rename2_in in{};
  in.newdir = 7;
  in.flags = 2;
  std::string body = raw(in) + std::string("old\0new\0", 8);
  BodyReader reader(body);
  EXPECT_EQ(reader.take<fuse_rename2_in>().newdir, 7u);
  EXPECT_EQ(reader.name(), "old");
  EXPECT_EQ(reader.name(), "new");
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.rest().empty());
}

TEST(BodyReader, AStructThatIsCutShortFailsAndIsZero) {
  fuse_read_in in{};
  in.size = 99;
  std::string body = raw(in).substr(0, sizeof(in) - 1);
  BodyReader reader(body);
  EXPECT_EQ(reader.take<fuse_read_in>().size, 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_TRUE(reader.rest().empty());
}

TEST(BodyReader, ANameWithoutItsNulFails) {
  BodyReader reader("endless");
  EXPECT_EQ(reader.name(), "");
  EXPECT_TRUE(reader.failed());
}

TEST(BodyReader, AnEmptyNameFailsButAnEmptyTextDoesNot) {
  BodyReader empty_name(std::string_view("\0", 1));
  empty_name.name();
  EXPECT_TRUE(empty_name.failed());
  BodyReader empty_text(std::string_view("\0", 1));
  EXPECT_EQ(empty_text.text(), "");
  EXPECT_TRUE(empty_text.ok());
}

TEST(BodyReader, StaysFailedAfterAFailure) {
  BodyReader reader(std::string_view("ab\0", 3));
  reader.bytes(100);
  EXPECT_EQ(reader.name(), "");
  EXPECT_TRUE(reader.failed());
}

TEST(BodyReader, ReadsStructsAtOddAddresses) {
  fuse_forget_in in{42};
  std::string body = "x" + raw(in);
  BodyReader reader(body);
  reader.bytes(1);
  EXPECT_EQ(reader.take<fuse_forget_in>().nlookup, 42u);
}

TEST(Extensions, AreCutOffTheBodyUnlessTheirLengthIsALie) {
  const std::string body = std::string("name\0", 5) + std::string(16, 'x');
  fuse_in_header header{};
  EXPECT_EQ(without_extensions(header, body), body);
  header.total_extlen = 2;
  EXPECT_EQ(without_extensions(header, body), std::string_view("name\0", 5));
  header.total_extlen = 1000;
  EXPECT_EQ(without_extensions(header, body), body);
}

}  // namespace
}  // namespace weir::fuse
