#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cache/image.h"
#include "vfs/fetcher.h"

namespace weir::vfs {

/// Completes images in the background: several chunks at a time, from where the reader is to the end, then from the
/// start; images in the order in which they were asked for. Thread-safe.
class Filler {
 public:
  Filler(Fetcher& fetcher, size_t threads);
  /// Chunks being fetched are finished; the rest is left.
  ~Filler();

  /// Starts, or moves, the fill of this image at chunk `index`. Never blocks.
  void start(const std::shared_ptr<cache::Image>& image, uint64_t index);
  /// Blocks: until the image is complete or its fill failed, then says which. Unavailable, Corrupt, NoSpace.
  Status wait(const std::shared_ptr<cache::Image>& image);
  size_t running() const;

 private:
  struct Job {
    std::shared_ptr<cache::Image> image;
    uint64_t next = 0;       // chunk to look at next
    uint64_t looked_at = 0;  // chunks passed since the last move; all: nothing is left to start
    size_t active = 0;       // chunks being fetched
    bool ended = false;
    Status outcome;
  };

  void run();
  std::shared_ptr<Job> find(const cache::Image* image) REQUIRES(mutex_);
  /// The next chunk of the first job that has one.
  std::shared_ptr<Job> take(uint64_t& index) REQUIRES(mutex_);
  void finish(const std::shared_ptr<Job>& job, const Status& outcome) REQUIRES(mutex_);

  Fetcher& fetcher_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<std::shared_ptr<Job>> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::vfs
