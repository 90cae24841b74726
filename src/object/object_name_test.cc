#include "object/object_name.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace weir::object {
namespace {

TEST(ObjectName, AcceptsWhatWeirUses) {
  EXPECT_TRUE(check_object_name("chunks/ab/" + std::string(64, 'f') + ".18446744073709551615"));
  EXPECT_TRUE(check_object_name("dump-2024_01"));
  EXPECT_TRUE(check_object_name(std::string(limits::kObjectNamePartBytes, 'a')));
}

TEST(ObjectName, RefusesWhatCouldLeaveTheStore) {
  for (std::string name : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../../b", ".hidden", "a/.b"}) {
    Status checked = check_object_name(name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, Code::kInvalid);
  }
}

TEST(ObjectName, RefusesOtherCharactersAndLengths) {
  for (std::string name : {"a b", "a\\b", "a\nb", "\xc3\xa4", "a%2fb", "a:b", "~a"})
    EXPECT_FALSE(check_object_name(name));
  EXPECT_FALSE(check_object_name(std::string("a\0b", 3)));
  EXPECT_FALSE(check_object_name(std::string(limits::kObjectNamePartBytes + 1, 'a')));
  std::string deep = "a";
  while (deep.size() <= limits::kObjectNameBytes) deep += "/a";
  EXPECT_FALSE(check_object_name(deep));
}

}  // namespace
}  // namespace weir::object
