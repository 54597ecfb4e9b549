"use strict";
document.getElementById("upload").addEventListener("submit", async (submission) => {
  submission.preventDefault();
  const result = document.getElementById("result");
  result.textContent = "Sending.";
  try {
    const answer = await fetch("/upload", { method: "POST", body: document.getElementById("file").files[0] });
    if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
    const { size, sha256 } = await answer.json();
    result.textContent = `${size} bytes arrived, SHA-256 ${sha256}`;
  } catch (error) {
    result.textContent = `It did not arrive: ${error.message}`;
  }
});
