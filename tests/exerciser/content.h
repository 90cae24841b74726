#pragma once

#include <pthread.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::exerciser {

// Two whole chunks, and one that is not.
inline constexpr uint64_t kBigFileBytes = (8 << 20) + (300 << 10);
// More than small content, less than a chunk.
inline constexpr uint64_t kSmallFileBytes = 300 << 10;

// What the bytes of one file must be. It lies in memory that processes made by fork() share, so that each of them knows
// what the others wrote; who works on the file holds the lock meanwhile. Bytes beyond the size are zero.
class Content {
 public:
  Content(uint64_t bytes_max, bool shared);
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  uint64_t size() const { return header_->size; }
  uint64_t bytes_max() const { return bytes_max_; }
  // Several processes work on it.
  bool shared() const { return shared_; }

  // Requires for all: the range ends at bytes_max() at most.
  void write(uint64_t offset, std::string_view bytes);
  void zero(uint64_t offset, uint64_t length);
  void resize(uint64_t size);
  void grow(uint64_t size);
  // As far as the file goes.
  std::string_view read(uint64_t offset, uint64_t length) const;
  bool is_zero(uint64_t begin, uint64_t end) const;

  // A store through a mapping sets the time when the kernel writes the page back, which is nobody's to say.
  bool times_known() const { return !header_->stored_by_mapping && !shared_; }
  void stored_by_mapping() { header_->stored_by_mapping = true; }

  void lock();
  void unlock();

 private:
  struct Header {
    pthread_mutex_t mutex;
    uint64_t size;
    bool stored_by_mapping;
  };

  const uint64_t bytes_max_;
  const bool shared_;
  Header* header_ = nullptr;
  char* bytes_ = nullptr;
};

// Holds the lock of a content while it lives.
class Holding {
 public:
  explicit Holding(Content& content) : content_(content) { content_.lock(); }
  ~Holding() { content_.unlock(); }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  Content& content_;
};

}  // namespace weir::exerciser
