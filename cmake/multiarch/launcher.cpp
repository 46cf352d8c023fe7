// SPDX-License-Identifier: Apache-2.0
// The `comodal` program for any x86-64: its work is in a library that the loader has chosen by the processor.
extern "C" int comodal_application(int argc, char** argv);

int main(int argc, char** argv) { return comodal_application(argc, argv); }
