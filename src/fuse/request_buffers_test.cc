#include "fuse/request_buffers.h"

#include <gtest/gtest.h>

#include "fuse/protocol.h"

namespace weir::fuse {
namespace {

class RequestBuffersTest : public ::testing::Test {
 protected:
  RequestBuffersTest() {
    auto memory = SharedMemory::create({.requests = 3, .handles = 1, .contents = 1});
    memory_ = std::move(memory).value();
    buffers_ = std::make_unique<RequestBuffers>(memory_);
  }

  uint64_t mark(uint32_t buffer) { return memory_->request_state(buffer).answered.load(); }

  std::shared_ptr<SharedMemory> memory_;
  std::unique_ptr<RequestBuffers> buffers_;
};

TEST_F(RequestBuffersTest, AnAnsweredRequestLeavesItsBufferToItsWorkerAndHasTheMark) {
  const uint32_t buffer = buffers_->acquire();
  buffers_->begin(buffer, 8);
  EXPECT_EQ(buffers_->unanswered(), 1u);
  buffers_->answered(buffer, 8);
  EXPECT_EQ(mark(buffer), 8u);
  EXPECT_EQ(buffers_->leave(buffer), buffer);
  EXPECT_EQ(buffers_->unanswered(), 0u);
}

TEST_F(RequestBuffersTest, AWaitingRequestKeepsItsBufferUntilAnswered) {
  const uint32_t first = buffers_->acquire();
  buffers_->begin(first, 8);
  const uint32_t second = buffers_->leave(first);
  EXPECT_NE(second, first);
  EXPECT_NE(mark(first), 8u);
  buffers_->begin(second, 10);
  const uint32_t third = buffers_->leave(second);
  EXPECT_NE(third, first);
  buffers_->answered(first, 8);
  EXPECT_EQ(mark(first), 8u);
  buffers_->begin(third, 12);
  EXPECT_EQ(buffers_->leave(third), first);
}

TEST_F(RequestBuffersTest, WhenAllAreTakenAnUnansweredRequestIsOverwrittenAndStillAnswerable) {
  uint32_t buffer = buffers_->acquire();
  for (uint64_t unique = 2; unique <= 10; unique += 2) {
    buffers_->begin(buffer, unique);
    buffer = buffers_->leave(buffer);
  }
  EXPECT_EQ(buffers_->unanswered(), 5u);
  EXPECT_TRUE(buffers_->mark_interrupted(6));  // overwritten
  EXPECT_TRUE(buffers_->is_interrupted(2, 6));
  EXPECT_FALSE(buffers_->is_interrupted(2, 8));
  buffers_->answered(2, 6);
  EXPECT_NE(mark(2), 6u);
  EXPECT_FALSE(buffers_->mark_interrupted(6));
  buffers_->answered(0, 2);
  EXPECT_EQ(mark(0), 2u);
  EXPECT_EQ(buffers_->unanswered(), 3u);
  buffers_->begin(buffer, 12);
  EXPECT_EQ(buffers_->leave(buffer), 0u);
}

TEST_F(RequestBuffersTest, AnInterruptThatComesBeforeItsRequestIsRemembered) {
  const uint32_t buffer = buffers_->acquire();
  EXPECT_FALSE(buffers_->mark_interrupted(20));
  buffers_->begin(buffer, 18);
  EXPECT_FALSE(buffers_->is_interrupted(buffer, 18));
  buffers_->answered(buffer, 18);
  buffers_->begin(buffer, 20);
  EXPECT_TRUE(buffers_->is_interrupted(buffer, 20));
}

TEST_F(RequestBuffersTest, ASuccessorInheritsWhatIsUnansweredAndItsInterrupts) {
  auto read_into = [&](uint32_t buffer, uint64_t unique) {
    auto& header = *reinterpret_cast<fuse_in_header*>(memory_->request_buffer(buffer).data());
    header.len = sizeof(header);
    header.unique = unique;
    memory_->request_state(buffer).device.store(7);
    buffers_->begin(buffer, unique);
  };
  const uint32_t first = buffers_->acquire();
  read_into(first, 30);
  const uint32_t second = buffers_->leave(first);
  read_into(second, 20);
  EXPECT_TRUE(buffers_->mark_interrupted(20));
  const uint32_t third = buffers_->leave(second);
  read_into(third, 40);
  buffers_->answered(third, 40);

  RequestBuffers successor(memory_);
  auto inherited = successor.inherited();
  ASSERT_EQ(inherited.size(), 2u);
  EXPECT_EQ(inherited[0].unique, 20u);
  EXPECT_EQ(inherited[0].buffer, second);
  EXPECT_EQ(inherited[0].device, 7u);
  EXPECT_EQ(inherited[1].unique, 30u);
  EXPECT_EQ(successor.unanswered(), 2u);
  EXPECT_TRUE(successor.is_interrupted(second, 20));
  EXPECT_FALSE(successor.is_interrupted(first, 30));
  EXPECT_EQ(successor.acquire(), third);
  successor.answered(second, 20);
  EXPECT_EQ(mark(second), 20u);
  EXPECT_EQ(successor.acquire(), second);
}

TEST_F(RequestBuffersTest, AReleasedBufferWithAWaitingRequestComesBackWhenItIsAnswered) {
  const uint32_t buffer = buffers_->acquire();
  buffers_->begin(buffer, 8);
  buffers_->release(buffer);
  EXPECT_NE(buffers_->acquire(), buffer);
  buffers_->answered(buffer, 8);
  EXPECT_EQ(buffers_->acquire(), buffer);
}

}  // namespace
}  // namespace weir::fuse
