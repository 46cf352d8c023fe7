// SPDX-License-Identifier: Apache-2.0
// A library to preload: of all calls that change a disk, the one whose number is FAULT_AT ends the process in the
// middle of it (FAULT=kill), or fails once (FAULT=ENOSPC, FAULT=EIO). The number of calls goes to the file FAULT_COUNT.
// With FAULT_CALL=fsync only calls of that name are counted. A failure makes the file FAULT_MARK.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> calls{0};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// Shows that something was injected: makes the file FAULT_MARK.
void leave_mark() {
  if (const char* file = std::getenv("FAULT_MARK"))
    if (const int mark = ::open(file, O_WRONLY | O_CREAT, 0600); mark >= 0) ::close(mark);
}

enum class fate { go_on, fail, end };

// What becomes of this call; errno is set where it fails.
fate decide(const char* name) {
  static const char* const at = std::getenv("FAULT_AT");
  static const char* const how = std::getenv("FAULT");
  static const char* const only = std::getenv("FAULT_CALL");
  if (only != nullptr && std::strcmp(only, name) != 0) return fate::go_on;
  if (++calls != (at == nullptr ? 0 : std::atol(at)) || how == nullptr) return fate::go_on;
  if (std::strcmp(how, "kill") == 0) return fate::end;
  leave_mark();
  errno = std::strcmp(how, "EIO") == 0 ? EIO : ENOSPC;
  return fate::fail;
}

[[noreturn]] void end() {
  ::raise(SIGKILL);
  ::_exit(9);
}

struct counter {
  ~counter() {
    const char* file = std::getenv("FAULT_COUNT");
    const int to = file == nullptr ? -1 : ::open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to < 0) return;
    char words[32];
    const int size = std::snprintf(words, sizeof words, "%ld\n", calls.load());
    if (::write(to, words, static_cast<std::size_t>(size)) < 0) ::_exit(3);
    ::close(to);
  }
} at_the_end;

}  // namespace

extern "C" {

std::size_t fwrite(const void* bytes, std::size_t size, std::size_t count, FILE* file) {
  static const auto real = next<std::size_t (*)(const void*, std::size_t, std::size_t, FILE*)>("fwrite");
  if (file == stdout || file == stderr) return real(bytes, size, count, file);
  const fate now = decide("fwrite");
  if (now == fate::go_on) return real(bytes, size, count, file);
  const int reason = errno;
  const std::size_t half = real(bytes, size, count / 2, file);
  std::fflush(file);
  if (now == fate::end) end();
  errno = reason;
  return half;
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  const fate now = decide("fsync");
  if (now == fate::end) end();
  return now == fate::fail ? -1 : real(descriptor);
}

int rename(const char* from, const char* to) {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  const fate now = decide("rename");
  if (now == fate::end) end();
  return now == fate::fail ? -1 : real(from, to);
}

int link(const char* from, const char* to) {
  static const auto real = next<int (*)(const char*, const char*)>("link");
  const fate now = decide("link");
  if (now == fate::end) end();
  return now == fate::fail ? -1 : real(from, to);
}

int mkdir(const char* path, mode_t mode) {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  const fate now = decide("mkdir");
  if (now == fate::end) end();
  return now == fate::fail ? -1 : real(path, mode);
}

ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t place) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t, off_t)>("pwrite");
  const fate now = decide("pwrite");
  if (now == fate::end) {
    if (real(descriptor, bytes, size / 2, place) < 0) ::_exit(9);
    end();
  }
  return now == fate::fail ? -1 : real(descriptor, bytes, size, place);
}

ssize_t pwrite64(int descriptor, const void* bytes, std::size_t size, off_t place) {
  return pwrite(descriptor, bytes, size, place);
}

}  // extern "C"
