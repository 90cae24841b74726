#include "base/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>

namespace weir {
namespace {

struct Record {
  uint64_t inode;
  uint32_t mode;
};

std::unique_ptr<SharedMemory> small_memory() {
  auto memory = SharedMemory::create({.requests = 4, .handles = 8, .contents = 2});
  EXPECT_TRUE(memory.has_value());
  return std::move(memory).value();
}

std::unique_ptr<SharedMemory> successor_of(const SharedMemory& memory) {
  auto successor = SharedMemory::attach(FileDescriptor(::dup(memory.fd())));
  EXPECT_TRUE(successor.has_value()) << successor.error().what;
  return std::move(successor).value();
}

TEST(SharedMemory, CostsLittleUntilTouched) {
  auto memory = SharedMemory::create();
  ASSERT_TRUE(memory.has_value()) << memory.error().what;
  struct stat status {};
  ASSERT_EQ(::fstat((*memory)->fd(), &status), 0);
  EXPECT_GT(status.st_size, 500 << 20);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
}

TEST(SharedMemory, BuffersAreAlignedAndApart) {
  auto memory = small_memory();
  for (uint32_t index = 0; index < memory->request_count(); ++index) {
    std::span<char> buffer = memory->request_buffer(index);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kSharedPageBytes, 0u);
    std::memset(buffer.data(), static_cast<int>('a' + index), buffer.size());
  }
  for (uint32_t index = 0; index < memory->request_count(); ++index) {
    EXPECT_EQ(memory->request_buffer(index).front(), static_cast<char>('a' + index));
    EXPECT_EQ(memory->request_buffer(index).back(), static_cast<char>('a' + index));
  }
}

TEST(SharedMemory, AReleasedBufferReadsAsZeros) {
  auto memory = small_memory();
  memory->request_buffer(2)[5000] = 'x';
  memory->release_request_buffer(2);
  EXPECT_EQ(memory->request_buffer(2)[5000], '\0');
}

TEST(SharedMemory, ASuccessorFindsHandlesAndContent) {
  auto memory = small_memory();
  const SlotId first = memory->handles().allocate().value();
  const SlotId second = memory->handles().allocate().value();
  memory->handles().find(second)->as<Record>() = {77, 3};
  memory->handles().free(first);
  const SlotId content = memory->contents().allocate().value();
  std::strcpy(memory->content(content.index).data(), "unpublished");

  auto successor = successor_of(*memory);
  memory.reset();
  EXPECT_EQ(successor->handles().in_use(), 1u);
  EXPECT_EQ(successor->handles().find(first), nullptr);
  ASSERT_NE(successor->handles().find(second), nullptr);
  EXPECT_EQ(successor->handles().find(second)->as<Record>().inode, 77u);
  EXPECT_STREQ(successor->content(content.index).data(), "unpublished");
  const SlotId reused = successor->handles().allocate().value();
  EXPECT_EQ(reused.index, first.index);
  EXPECT_NE(reused.generation, first.generation);
}

TEST(SharedMemory, AttachRefusesWhatIsNotOurs) {
  FileDescriptor empty(::memfd_create("empty", 0));
  EXPECT_EQ(SharedMemory::attach(std::move(empty)).error().code, Code::kCorrupt);
  FileDescriptor zeros(::memfd_create("zeros", 0));
  ASSERT_EQ(::ftruncate(zeros.get(), 1 << 20), 0);
  EXPECT_EQ(SharedMemory::attach(std::move(zeros)).error().code, Code::kCorrupt);
}

TEST(SharedMemory, AttachRefusesACutFileAndAnotherLayout) {
  auto memory = small_memory();
  const SharedHeader header = memory->header();
  FileDescriptor cut(::memfd_create("cut", 0));
  ASSERT_EQ(::pwrite(cut.get(), &header, sizeof(header), 0), static_cast<ssize_t>(sizeof(header)));
  ASSERT_EQ(::ftruncate(cut.get(), static_cast<off_t>(header.total_bytes) - 4096), 0);
  EXPECT_EQ(SharedMemory::attach(std::move(cut)).error().code, Code::kCorrupt);

  SharedHeader other = header;
  other.layout_version = 99;
  FileDescriptor newer(::memfd_create("newer", 0));
  ASSERT_EQ(::ftruncate(newer.get(), static_cast<off_t>(header.total_bytes)), 0);
  ASSERT_EQ(::pwrite(newer.get(), &other, sizeof(other), 0), static_cast<ssize_t>(sizeof(other)));
  EXPECT_EQ(SharedMemory::attach(std::move(newer)).error().code, Code::kCorrupt);
}

TEST(SharedMemory, SurvivesTheProcessThatWroteIt) {
  auto memory = small_memory();
  const pid_t child = ::fork();
  if (child == 0) {
    const SlotId id = memory->handles().allocate().value();
    memory->handles().find(id)->as<Record>().inode = 5;
    memory->request_state(1).answered = 8;
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto successor = successor_of(*memory);
  EXPECT_EQ(successor->handles().in_use(), 1u);
  EXPECT_EQ(successor->handles().find({0, 1})->as<Record>().inode, 5u);
  EXPECT_EQ(successor->request_state(1).answered.load(), 8u);
}

TEST(SlotTable, IsFullAtItsCapacityAndGoesOnAfterAFree) {
  auto memory = small_memory();
  SlotTable& table = memory->contents();
  const SlotId first = table.allocate().value();
  ASSERT_TRUE(table.allocate().has_value());
  EXPECT_FALSE(table.allocate().has_value());
  table.free(first);
  EXPECT_TRUE(table.allocate().has_value());
}

TEST(SlotTable, DoesNotFindStaleOrInventedHandles) {
  auto memory = small_memory();
  const SlotId id = memory->handles().allocate().value();
  EXPECT_EQ(SlotId::from_number(id.number()), id);
  EXPECT_NE(id.number(), 0u);
  EXPECT_NE(memory->handles().find(id), nullptr);
  memory->handles().free(id);
  EXPECT_EQ(memory->handles().find(id), nullptr);
  EXPECT_EQ(memory->handles().find(SlotId::from_number(~uint64_t{0})), nullptr);
  EXPECT_EQ(memory->handles().find(SlotId::from_number(0)), nullptr);
}

TEST(SlotTable, ANewAllocationHasAPayloadOfZeros) {
  auto memory = small_memory();
  SlotId id = memory->handles().allocate().value();
  memory->handles().find(id)->as<Record>().inode = 9;
  memory->handles().free(id);
  id = memory->handles().allocate().value();
  EXPECT_EQ(memory->handles().find(id)->as<Record>().inode, 0u);
}

TEST(SlotTable, ThreadsNeverGetTheSameSlot) {
  auto memory = std::move(SharedMemory::create({.requests = 1, .handles = 4000, .contents = 1})).value();
  std::vector<std::vector<uint64_t>> got(4);
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&memory, &mine] {
      for (int i = 0; i < 1000; ++i) {
        const SlotId kept = memory->handles().allocate().value();
        mine.push_back(kept.number());
        if (i % 3 == 0) {
          memory->handles().free(kept);
          mine.pop_back();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> all;
  size_t total = 0;
  for (const auto& mine : got) {
    all.insert(mine.begin(), mine.end());
    total += mine.size();
  }
  EXPECT_EQ(all.size(), total);
  EXPECT_EQ(memory->handles().in_use(), total);
  size_t visited = 0;
  memory->handles().for_each([&visited](SlotId, SharedSlot&) { ++visited; });
  EXPECT_EQ(visited, total);
}

}  // namespace
}  // namespace weir
