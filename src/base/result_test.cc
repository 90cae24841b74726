#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>

namespace weir {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return error(Code::kInvalid, "{} is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  ASSIGN_OR_RETURN(int first, half(number));
  ASSIGN_OR_RETURN(first, half(first));
  return first;
}

Status check_even(int number) {
  TRY(half(number));
  return {};
}

Result<std::unique_ptr<int>> make(bool works) {
  if (!works) return error(Code::kNoSpace, "no room");
  return std::make_unique<int>(7);
}

Result<int> use(bool works) {
  ASSIGN_OR_RETURN(std::unique_ptr<int> owned, make(works));
  return *owned;
}

TEST(Result, PassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().what, "3 is odd");
  EXPECT_EQ(quarter(5).error().what, "5 is odd");
  EXPECT_TRUE(check_even(4));
  EXPECT_EQ(check_even(3).error().code, Code::kInvalid);
}

TEST(Result, MovesOwnersThrough) {
  EXPECT_EQ(use(true).value(), 7);
  EXPECT_EQ(use(false).error().code, Code::kNoSpace);
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  int codes = 0;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i, ++codes) names.insert(code_name(static_cast<Code>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(codes));
  EXPECT_EQ(code_name(Code::kNotFound), "not_found");
}

TEST(Result, KnowsWhatTheSystemsErrorsMean) {
  EXPECT_EQ(code_of_errno(ENOENT), Code::kNotFound);
  EXPECT_EQ(code_of_errno(EEXIST), Code::kExists);
  EXPECT_EQ(code_of_errno(ENOSPC), Code::kNoSpace);
  EXPECT_EQ(code_of_errno(EDQUOT), Code::kNoSpace);
  EXPECT_EQ(code_of_errno(EROFS), Code::kReadOnly);
  EXPECT_EQ(code_of_errno(EACCES), Code::kAccess);
  EXPECT_EQ(code_of_errno(EPERM), Code::kPermission);
  EXPECT_EQ(code_of_errno(EIO), Code::kIo);
  EXPECT_EQ(code_of_errno(EUCLEAN), Code::kIo) << "what has no code of its own";
}

TEST(Result, NamesTheActionThatTheSystemFailed) {
  Status failed = errno_error(ENOSPC, "write /x/y");
  EXPECT_EQ(failed.error().code, Code::kNoSpace);
  EXPECT_EQ(failed.error().what, "write /x/y: No space left on device");
}

}  // namespace
}  // namespace weir
