// SPDX-License-Identifier: Apache-2.0
// Runs the program on every input of the corpus: test_corpus -- PROGRAM [WORDS]. Of each it must say what is expected,
// end with the expected status, in time, and leave no half-written file. WORDS choose the kinds whose names hold them.
#define BOOST_TEST_MODULE corpus
#include "corpus.hpp"

#include <data/files.hpp>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <set>
#include <thread>

namespace corpus {
namespace {

// What a call printed, stdout and stderr, and how it ended.
struct ending {
  std::string words;
  int status = -1;  // 128 + the signal that ended it
  bool in_time = true;
};

ending call(const std::vector<std::string>& command, const fs::path& log, bool full_output) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(full_output ? ::open("/dev/full", O_WRONLY) : file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    ::setenv("OMP_NUM_THREADS", "1", 1);
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ending end;
  const auto start = std::chrono::steady_clock::now();
  int state = 0;
  while (::waitpid(child, &state, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(120)) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &state, 0);
      end.in_time = false;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  end.status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  const auto bytes = comodal::read_file(log);
  end.words.assign(bytes.begin(), bytes.end());
  return end;
}

// Two cases with labels a and b, c with one, d without, e and f to predict; 20 x 18 x 12 voxels, two modalities.
void make_data(const fs::path& root) {
  put(root / "dataset.json", R"({"channel_names": {"0": "T1", "1": "T2"}, )"
                             R"("labels": {"background": 0, "core": 1, "rim": 2}, "file_ending": ".nii.gz"})");
  std::uint32_t key = 0;
  for (const std::string id : {"a", "b", "c", "d", "e", "f"}) {
    const bool test = id == "e" || id == "f";
    const fs::path images = root / (test ? "imagesTs" : "imagesTr"), labels = root / (test ? "labelsTs" : "labelsTr");
    fs::create_directories(images);
    fs::create_directories(labels);
    for (const char* m : {"_0000.nii.gz", "_0001.nii.gz"}) comodal::write_nifti(images / (id + m), test::image(++key));
    auto label = test::label(1);
    label.at(10, 9, 5) = label.at(10, 9, 6) = 2;
    if (id != "d") comodal::write_nifti(labels / (id + ".nii.gz"), label);
  }
}

void replace_words(std::string& word, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = word.find(from, at)) != std::string::npos; at += to.size())
    word.replace(at, from.size(), to);
}

// Words of other libraries and of the language that no user should read.
bool says_raw_words(const std::string& words) {
  for (const char* raw : {"json.exception", "toml::", "std::", "what()", "terminate called", "filesystem error",
                          "basic_string", "stoi", "Kokkos::"})
    if (words.find(raw) != std::string::npos) return true;
  return false;
}

class session {
 public:
  explicit session(std::string program) : m_program(std::move(program)) {
    make_data(m_work / "base");
    put(m_work / "tiny.toml",
        "[model]\nstream_channels = [2, 4]\nfused_channels = [4, 8]\n[batch]\npatch_size = [16, 16, 8]\n[method]\nname "
        "= \"supervised\"\n[train]\nsteps = 2\nlog_every = 1\ncheckpoint_every = 1\n[prefetch]\nthreads = 1\n");
    const auto trained = call({m_program, "train", (m_work / "tiny.toml").string(), (m_work / "run").string(),
                               "--data.folder", (m_work / "base").string()},
                              m_work / "log", false);
    BOOST_REQUIRE_MESSAGE(trained.status == 0, trained.words);
  }

  void run(const input& one) {
    const fs::path here = m_work / "input";
    fs::remove_all(here);
    fs::create_directory(here);
    fs::copy(m_work / "base", here / "DATA", fs::copy_options::recursive);
    fs::copy(m_work / "run", here / "run", fs::copy_options::recursive);
    fs::copy(m_work / "run/model.safetensors", here / "MODEL");
    fs::copy(m_work / "tiny.toml", here);
    if (one.make) one.make(here);
    std::vector<std::string> command{m_program};
    for (std::string word : one.command) {
      replace_words(word, "HERE", here.string());
      for (const char* name : {"DATA", "MODEL", "OUT"})
        if (word.starts_with(name)) word = here / word;
      command.push_back(word);
    }
    const auto end = call(command, m_work / "log", one.full_output);
    const std::string who = one.kind + ", " + one.name + ": ";
    BOOST_CHECK_MESSAGE(end.in_time, who << "hangs");
    BOOST_CHECK_MESSAGE(end.status == one.status, who << "status " << end.status << ", expected " << one.status << "\n"
                                                      << end.words);
    for (const auto& words : one.words)
      BOOST_CHECK_MESSAGE(end.words.find(words) != std::string::npos, who << "does not say '" << words << "' but\n"
                                                                          << end.words);
    BOOST_CHECK_MESSAGE(!says_raw_words(end.words), who << "says words of a library:\n" << end.words);
    for (const auto& entry : fs::recursive_directory_iterator(here, fs::directory_options::skip_permission_denied))
      BOOST_CHECK_MESSAGE(entry.path().filename().string().find(".partial-") == std::string::npos,
                          who << "leaves " << entry.path());
    if (one.status == 2 && one.command.size() > 1 && one.command[0] == "train")
      BOOST_CHECK_MESSAGE(!fs::exists(here / "OUT"), who << "a refused run leaves a folder");
  }

 private:
  std::string m_program;
  test::folder m_work{"corpus"};
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_input_is_answered_in_words) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  BOOST_REQUIRE_GE(suite.argc, 2);
  const std::string chosen = suite.argc > 2 ? suite.argv[2] : "";
  list all;
  for (const auto& add : {add_files, add_headers, add_values, add_datasets, add_options, add_runs}) add(all);
  std::map<std::string, std::size_t> kinds;
  for (const auto& one : all.inputs) ++kinds[one.kind];
  BOOST_TEST_MESSAGE(all.inputs.size() << " inputs of " << kinds.size() << " kinds");
  std::printf("%zu inputs of %zu kinds\n", all.inputs.size(), kinds.size());
  BOOST_TEST(all.inputs.size() >= 200u);
  BOOST_TEST(kinds.size() >= 40u);
  for (const auto& [name, count] : kinds) BOOST_TEST(count >= 5u, name << " has " << count << " inputs");
  session with(suite.argv[1]);
  for (const auto& one : all.inputs)
    if (one.kind.find(chosen) != std::string::npos) with.run(one);
}

}  // namespace corpus
