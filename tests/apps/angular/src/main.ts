import { Component } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";

@Component({ selector: "app-root", template: "<p>angular answers</p>" })
class App {}

bootstrapApplication(App);
