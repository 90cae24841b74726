#include "testing/s3/object_table.h"

#include <algorithm>

#include "base/hex.h"
#include "base/limits.h"

namespace weir::testing::s3 {

std::string Object::etag() const { return '"' + to_hex(sha256.substr(0, 16)) + '"'; }

void ObjectTable::make_bucket(std::string_view bucket) {
  MutexLock lock(mutex_);
  buckets_.try_emplace(std::string(bucket));
}

bool ObjectTable::has_bucket(std::string_view bucket) const {
  MutexLock lock(mutex_);
  return buckets_.find(bucket) != buckets_.end();
}

void ObjectTable::change(Bucket& bucket, std::string_view key, ObjectPointer object) {
  const auto at = bucket.objects.find(key);
  bucket.history.push_back(
      {clock_.monotonic_ns(), std::string(key), at == bucket.objects.end() ? nullptr : at->second});
  if (bucket.history.size() > limits::kTestServerHistory) bucket.history.pop_front();
  if (object) {
    bucket.objects.insert_or_assign(std::string(key), std::move(object));
  } else if (at != bucket.objects.end()) {
    bucket.objects.erase(at);
  }
}

ObjectTable::PutResult ObjectTable::put(std::string_view bucket, std::string_view key, ObjectPointer object,
                                        bool only_if_absent) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return PutResult::kNoBucket;
  if (only_if_absent && found->second.objects.find(key) != found->second.objects.end()) return PutResult::kExists;
  change(found->second, key, std::move(object));
  return PutResult::kDone;
}

ObjectPointer ObjectTable::get(std::string_view bucket, std::string_view key) const {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return nullptr;
  const auto at = found->second.objects.find(key);
  return at == found->second.objects.end() ? nullptr : at->second;
}

void ObjectTable::remove(std::string_view bucket, std::string_view key) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found != buckets_.end()) change(found->second, key, nullptr);
}

void ObjectTable::replace_bytes(std::string_view bucket, std::string_view key, std::string bytes) {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return;
  const auto at = found->second.objects.find(key);
  if (at == found->second.objects.end()) return;
  Object harmed = *at->second;
  harmed.bytes = std::move(bytes);
  at->second = std::make_shared<const Object>(std::move(harmed));
}

std::vector<ListedKey> ObjectTable::list(std::string_view bucket, std::string_view prefix, std::string_view after,
                                         size_t limit, int64_t age_ms) const {
  MutexLock lock(mutex_);
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return {};
  Objects past;
  const Objects* objects = &found->second.objects;
  if (age_ms > 0) {
    past = *objects;
    const int64_t then_ns = clock_.monotonic_ns() - age_ms * 1'000'000;
    const auto& history = found->second.history;
    for (auto change = history.rbegin(); change != history.rend() && change->time_ns > then_ns; change++) {
      if (change->before) {
        past.insert_or_assign(change->key, change->before);
      } else {
        past.erase(change->key);
      }
    }
    objects = &past;
  }
  std::vector<ListedKey> listed;
  auto at = after < prefix ? objects->lower_bound(prefix) : objects->upper_bound(after);
  for (; at != objects->end() && at->first.starts_with(prefix) && listed.size() < limit; at++) {
    listed.push_back({at->first, at->second});
  }
  return listed;
}

}  // namespace weir::testing::s3
