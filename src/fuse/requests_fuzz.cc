// Whole request buffers, as a broken or hostile kernel might send them, through workers, dispatcher and a whole volume
// in memory. Nothing crashes, and the channel goes on answering.
//
// An input is a row of messages: two bytes of length, one that says what is put right in it, then the message.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "fuse/dispatcher_fixture.h"

namespace {

using weir::testing::Body;
using weir::testing::FakeKernel;

constexpr size_t kMessagesMax = 24;
// Each input leaves files behind.
constexpr int kInputsPerVolume = 500;
// Below, so that answers of messages are not taken for those of calls.
constexpr uint64_t kFirstUnique = uint64_t{1} << 40;
// A file of terabytes has a table of its chunks in memory.
constexpr uint64_t kOffsetMax = uint64_t{1} << 33;

// What a message may have put right, so that it comes further than its first check.
enum Mend : uint8_t { kLength = 1, kUnique = 2, kNode = 4, kHandle = 8, kOpcode = 16 };

class FuzzedVolume {
 public:
  FuzzedVolume() {
    const uint64_t init = kernel_.send_init();
    volume_.serve(kernel_.take_device());
    CHECK(kernel_.wait(init)->error == 0);
  }

  void run(std::string_view input) {
    make_targets();
    for (size_t count = 0; count < kMessagesMax && input.size() > 3; ++count) {
      const size_t length =
          std::min<size_t>(static_cast<uint8_t>(input[0]) | static_cast<uint8_t>(input[1]) << 8, input.size() - 3);
      send(static_cast<uint8_t>(input[2]), std::string(input.substr(3, length)));
      input.remove_prefix(3 + length);
    }
    const FakeKernel::Answer answer = kernel_.call(FUSE_GETATTR, FUSE_ROOT_ID, Body().add(fuse_getattr_in{}));
    CHECK(answer.error == 0);
  }

 private:
  // A directory, a file in it, and a handle of a writer and of a reader: what messages are about.
  void make_targets() {
    const std::string name = "target-" + std::to_string(++directories_);
    const fuse_mkdir_in directory{0755, 022};
    nodes_[0] = FUSE_ROOT_ID;
    nodes_[1] = call(FUSE_MKDIR, FUSE_ROOT_ID, Body().add(directory).name(name)).as<fuse_entry_out>().nodeid;
    const fuse_create_in file{O_RDWR | O_CREAT, S_IFREG | 0644, 022, 0};
    const FakeKernel::Answer created = call(FUSE_CREATE, nodes_[1], Body().add(file).name("f"));
    nodes_[2] = created.as<fuse_entry_out>().nodeid;
    std::memcpy(&handles_[0], created.payload.data() + sizeof(fuse_entry_out), sizeof(uint64_t));
    handles_[1] = call(FUSE_OPEN, nodes_[2], Body().add(fuse_open_in{O_RDONLY, 0})).as<weir::fuse::OpenOut>().fh;
  }

  FakeKernel::Answer call(uint32_t opcode, uint64_t node, std::string_view body) {
    FakeKernel::Answer answer = kernel_.call(opcode, node, body);
    CHECK(answer.error == 0);
    return answer;
  }

  void send(uint8_t mend, std::string message) {
    if (message.empty()) return;  // what hangs up
    if (message.size() >= sizeof(fuse_in_header)) mend_header(mend, message);
    kernel_.send_raw(message);
  }

  void mend_header(uint8_t mend, std::string& message) {
    fuse_in_header header{};
    std::memcpy(&header, message.data(), sizeof(header));
    if ((mend & kLength) != 0) header.len = static_cast<uint32_t>(message.size());
    if ((mend & kUnique) != 0) header.unique = kFirstUnique + 2 * ++sent_;
    if ((mend & kNode) != 0) header.nodeid = nodes_[header.nodeid % nodes_.size()];
    if ((mend & kOpcode) != 0) header.opcode %= weir::fuse::kOpLast + 3;
    if (header.unique != 0 && header.unique < kFirstUnique) header.unique |= kFirstUnique;
    std::memcpy(message.data(), &header, sizeof(header));
    const std::string_view body = std::string_view(message).substr(sizeof(header));
    if ((mend & kHandle) != 0 && body.size() >= sizeof(uint64_t)) {
      const uint64_t handle = handles_[static_cast<uint8_t>(body[0]) % handles_.size()];
      std::memcpy(message.data() + sizeof(header), &handle, sizeof(handle));
    }
    limit_numbers(header.opcode, message);
  }

  // Where in a body the numbers lie by which a file can grow.
  static std::vector<size_t> places_of_numbers(uint32_t opcode) {
    switch (opcode) {
      case FUSE_SETATTR: return {offsetof(fuse_setattr_in, size)};
      case FUSE_WRITE: return {offsetof(fuse_write_in, offset)};
      case FUSE_FALLOCATE: return {offsetof(fuse_fallocate_in, offset), offsetof(fuse_fallocate_in, length)};
      case FUSE_COPY_FILE_RANGE:
      case weir::fuse::kOpCopyFileRange64:
        return {offsetof(fuse_copy_file_range_in, off_out), offsetof(fuse_copy_file_range_in, len)};
      default: return {};
    }
  }

  static void limit_numbers(uint32_t opcode, std::string& message) {
    for (const size_t place : places_of_numbers(opcode)) {
      const size_t at = sizeof(fuse_in_header) + place;
      uint64_t number = 0;
      if (at + sizeof(number) > message.size()) continue;
      std::memcpy(&number, message.data() + at, sizeof(number));
      // What is refused for being too large stays so.
      if (number <= weir::limits::kFileBytes) number %= kOffsetMax;
      std::memcpy(message.data() + at, &number, sizeof(number));
    }
  }

  weir::fuse::DispatchedVolume volume_;
  FakeKernel kernel_;
  std::array<uint64_t, 3> nodes_{};
  std::array<uint64_t, 2> handles_{};
  uint64_t directories_ = 0;
  uint64_t sent_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // At exit it publishes, and hashes with what sha256() keeps in the thread: that must be there first, to go last.
  static const auto ready = weir::sha256("");
  (void)ready;
  thread_local std::unique_ptr<FuzzedVolume> volume;
  static int inputs = 0;
  if (!volume || ++inputs % kInputsPerVolume == 0) {
    weir::log::set_level(weir::log::Level::kError);
    volume.reset();
    volume = std::make_unique<FuzzedVolume>();
  }
  volume->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
