#include "fuse/init.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::fuse {
namespace {

std::string init_body(uint32_t major, uint32_t minor, uint64_t flags, size_t bytes = sizeof(fuse_init_in)) {
  fuse_init_in in{};
  in.major = major;
  in.minor = minor;
  in.max_readahead = 131072;
  in.flags = static_cast<uint32_t>(flags);
  in.flags2 = static_cast<uint32_t>(flags >> 32);
  return std::string(reinterpret_cast<const char*>(&in), bytes);
}

TEST(Negotiation, TakesWhatItWantsOfWhatIsOffered) {
  const auto answer = negotiate(init_body(7, 45, ~uint64_t{0}), {});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->negotiated.flags, kWantedFlags);
  EXPECT_EQ(answer->negotiated.offered, ~uint64_t{0});
  EXPECT_EQ(answer->out.flags2, static_cast<uint32_t>(kWantedFlags >> 32));
  EXPECT_EQ(answer->out.max_write, 1u << 20);
  EXPECT_EQ(answer->out.max_pages, 256);
  EXPECT_EQ(answer->out.time_gran, 1u);
  EXPECT_EQ(answer->out.max_stack_depth, 0u);
}

TEST(Negotiation, NeverTakesWhatHarms) {
  const auto answer = negotiate(init_body(7, 45, ~uint64_t{0}), {});
  for (uint64_t flag :
       {uint64_t{FUSE_WRITEBACK_CACHE}, uint64_t{FUSE_HANDLE_KILLPRIV}, uint64_t{FUSE_HANDLE_KILLPRIV_V2},
        uint64_t{FUSE_AUTO_INVAL_DATA}, uint64_t{FUSE_NO_OPEN_SUPPORT}, uint64_t{FUSE_EXPORT_SUPPORT}}) {
    EXPECT_FALSE(answer->negotiated.has(flag)) << flag;
  }
}

TEST(Negotiation, AKernelOf5_15WithoutSecondFlagsIsServed) {
  const uint64_t offered = FUSE_ASYNC_READ | FUSE_POSIX_ACL | FUSE_MAX_PAGES;
  const auto answer = negotiate(init_body(7, 34, offered, 16), {});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->negotiated.flags, offered);
  EXPECT_EQ(answer->negotiated.minor, 34u);
  EXPECT_EQ(answer->out.flags2, 0u);
}

TEST(Negotiation, SecondFlagsWithoutTheirAnnouncementAreIgnored) {
  const auto answer = negotiate(init_body(7, 45, kInitPassthrough), {.wanted = kInitPassthrough});
  EXPECT_FALSE(answer->negotiated.has(kInitPassthrough));
}

TEST(Negotiation, PassthroughCarriesItsStackDepth) {
  const auto answer =
      negotiate(init_body(7, 45, ~uint64_t{0}), {.wanted = kWantedFlags | kInitPassthrough, .max_stack_depth = 2});
  EXPECT_TRUE(answer->negotiated.has(kInitPassthrough));
  EXPECT_EQ(answer->out.max_stack_depth, 2u);
}

TEST(Negotiation, RefusesOldKernelsWithASentence) {
  const auto old = negotiate(init_body(7, 30, 0), {});
  ASSERT_FALSE(old.has_value());
  EXPECT_EQ(old.error().code, Code::kUnsupported);
  EXPECT_NE(old.error().what.find("7.30"), std::string::npos);
  EXPECT_EQ(negotiate(init_body(8, 0, 0), {}).error().code, Code::kUnsupported);
  EXPECT_EQ(negotiate("short", {}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace weir::fuse
